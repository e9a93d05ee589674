/** Vectors: the reference tree of Certificate Transparency (leaves, roots and paths of its C++ and Go test suites). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  appendLeaf,
  decodeFrontier,
  emptyFrontier,
  emptyRoot,
  encodePeaks,
  frontierRoot,
  inclusionProof,
  leafHash,
  rootOf,
  verifyInclusion,
} from '../../src/domain/merkle.js';

const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (hex) => leafHash(Buffer.from(hex, 'hex')),
);
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
/** Leaf (from 0), size, path. */
const paths: [number, number, string[]][] = [
  [0, 1, []],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];

describe('the reference tree', () => {
  test('of nothing is the hash of nothing', () => {
    expect(emptyRoot.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(frontierRoot(emptyFrontier)).toEqual(emptyRoot);
    expect(rootOf([])).toEqual(emptyRoot);
  });

  test.each(roots.map((root, index) => [index + 1, root] as const))(
    'root of the first %i leaves, at once and appended one by one',
    (size, root) => {
      expect(rootOf(leaves.slice(0, size)).toString('hex')).toBe(root);
      const frontier = leaves.slice(0, size).reduce(appendLeaf, emptyFrontier);
      expect(frontierRoot(frontier).toString('hex')).toBe(root);
      expect(frontierRoot(decodeFrontier(size, encodePeaks(frontier))).toString('hex')).toBe(root);
    },
  );

  test.each(paths)('path of leaf %i in %i', (index, size, path) => {
    expect(inclusionProof(leaves.slice(0, size), index).map((hash) => hash.toString('hex'))).toEqual(path);
    const proof = path.map((hex) => Buffer.from(hex, 'hex'));
    const root = Buffer.from(roots[size - 1] ?? '', 'hex');
    expect(verifyInclusion(leaves[index] ?? Buffer.alloc(0), index, size, proof, root)).toBe(true);
  });
});

describe('a proof', () => {
  const tree = fc
    .tuple(fc.array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 70 }), fc.nat())
    .map(([entries, at]) => ({ hashes: entries.map(leafHash), index: at % entries.length }));

  test('of any leaf of any tree verifies, and the tree is the same appended as built at once', () => {
    fc.assert(
      fc.property(tree, ({ hashes, index }) => {
        const root = rootOf(hashes);
        expect(frontierRoot(hashes.reduce(appendLeaf, emptyFrontier))).toEqual(root);
        return verifyInclusion(hashes[index] as Buffer, index, hashes.length, inclusionProof(hashes, index), root);
      }),
    );
  });

  test('does not verify with anything changed', () => {
    fc.assert(
      fc.property(tree, fc.nat(), ({ hashes, index }, seed) => {
        const size = hashes.length;
        const leaf = hashes[index] as Buffer;
        const proof = inclusionProof(hashes, index);
        const root = rootOf(hashes);
        const other = leafHash(Buffer.from('no such entry, ever'));
        expect(verifyInclusion(other, index, size, proof, root)).toBe(false);
        expect(verifyInclusion(leaf, index, size, proof, other)).toBe(false);
        expect(verifyInclusion(leaf, index, size, [...proof, other], root)).toBe(false);
        if (proof.length > 0) {
          expect(verifyInclusion(leaf, index, size, proof.slice(1), root)).toBe(false);
          expect(verifyInclusion(leaf, index, size, proof.with(seed % proof.length, other), root)).toBe(false);
          expect(verifyInclusion(leaf, index, size, proof.with(seed % proof.length, Buffer.alloc(31)), root)).toBe(
            false,
          );
        }
        for (const bad of [-1, size, size + 1, 0.5, Number.NaN]) {
          expect(verifyInclusion(leaf, bad, size, proof, root)).toBe(false);
        }
      }),
    );
  });

  test('a node cannot be passed off as a leaf', () => {
    const [a, b] = leaves as [Buffer, Buffer];
    expect(leafHash(Buffer.concat([a, b]))).not.toEqual(rootOf([a, b]));
  });

  test('of a leaf that is not there is a mistake', () => {
    expect(() => inclusionProof(leaves, 8)).toThrow('No leaf 8');
    expect(() => inclusionProof(leaves, -1)).toThrow('No leaf -1');
  });

  test('a stored edge of the wrong length is refused', () => {
    expect(() => decodeFrontier(3, Buffer.alloc(32))).toThrow('32 bytes');
  });
});
