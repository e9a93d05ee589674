// Who may import whom: the table of the design. A stage is one step of the data flow; stages do not import one another
// except as named here, so that a change in one can be read without the others.
const only = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: to.map((place) => `^src/${place}`) },
});
const stage = (name, ...more) =>
  only(`${name}-stays-in-its-lane`, `^src/${name}/`, [
    `${name}/`,
    'errors\\.ts$',
    'domain/',
    'store/',
    'platform/',
    'audit/',
    ...more,
  ]);

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: ['\\.d\\.ts$', '^src/main\\.ts$', '^src/web/', '^samples/demo\\.ts$', 'worker\\.ts$'],
      },
      to: {},
    },
    only('domain-is-pure', '^src/domain/', ['domain/', 'errors\\.ts$']),
    {
      name: 'domain-does-no-io',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core'], pathNot: ['^(node:)?crypto$'] },
    },
    only('platform-knows-only-errors', '^src/platform/', ['platform/', 'errors\\.ts$']),
    only('store-knows-domain-and-platform', '^src/store/', ['store/', 'domain/', 'platform/', 'errors\\.ts$']),
    {
      name: 'only-store-touches-sqlite',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/store/' },
      to: { path: 'node_modules/better-sqlite3' },
    },
    {
      name: 'only-platform-touches-ffmpeg',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/ffmpeg' },
      to: { path: 'node_modules/(fluent-ffmpeg|@ffmpeg-installer)' },
    },
    {
      name: 'only-platform-touches-sharp',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/pictures' },
      to: { path: 'node_modules/sharp' },
    },
    // The log is written through store/audit-log.ts; this folder only proves it, so that it can be given to an auditor alone.
    only('audit-imports-domain-only', '^src/audit/', ['audit/', 'domain/', 'errors\\.ts$']),
    stage('cameras'),
    stage('recordings'),
    stage('retention'),
    stage('redaction'),
    stage('evidence'),
    stage('disclosure', 'redaction/', 'evidence/'),
    only('web-knows-types-only', '^src/web/', ['web/', 'domain/', 'api/']),
    {
      name: 'nobody-imports-the-composition-root',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main|app)\\.ts$|^src/cli/' },
      to: { path: '^src/app\\.ts$' },
    },
    // No file of the product may need the samples or the tests, and the samples see the product from outside only.
    {
      name: 'product-stands-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(samples|test|tooling)/' },
    },
    { name: 'samples-stand-outside', severity: 'error', from: { path: '^samples/' }, to: { path: '^(src|test)/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
