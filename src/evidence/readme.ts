/** README.txt of a package: what it is and how to check it without us, in Danish and English. */
export interface ReadmeFacts {
  readonly requestId: string;
  readonly site: string;
  readonly journalNumber: string;
  readonly redactedOnly: boolean;
  /** Whether some originals are fragments with their initialisation segments beside them. */
  readonly fragments: boolean;
  readonly packageKey: string;
}

export function readme(facts: ReadmeFacts): string {
  const { requestId, site, journalNumber, redactedOnly, fragments, packageKey } = facts;
  const alone = fragments && !redactedOnly;
  return `UDLEVERING AF TV-OVERVÅGNING / DISCLOSURE OF CCTV FOOTAGE
Sag / case: ${requestId}    Journalnummer / journal number: ${journalNumber}    Sted / site: ${site}

DANSK
-----
originals/     ${redactedOnly ? 'Ikke med i denne pakke; begrundelsen står i manifest.json.' : 'Optagelserne bit for bit, som optageren skrev dem. Bevismateriale.'}${
    alone
      ? `
               En .m4s afspilles efter sin .init.mp4: cat NAVN.m4s.init.mp4 NAVN.m4s > film.mp4`
      : ''
  }
redacted/      Slørede arbejdskopier (REDACTED-COPY), lavet af originalerne. Ikke originaler.
manifest.json  Hvad pakken indeholder: tidsrum, kameraer, huller, slettede dele, SHA-256 af hver fil,
               hvem der har anmodet, gennemset og godkendt (som id), og hvad der er maskeret.
manifest.sig   Ed25519-signatur over manifest.json, byte for byte.
keys/          Offentlige nøgler. audit/  Bevis fra gatewayens log, med signeret checkpoint.

Kontrol: tredive verify <denne mappe eller ZIP-fil> --key <nøgle fået ad anden vej>
Nøglens fingeraftryk (SHA-256 af den offentlige nøgle i DER) skal sammenlignes med det, som
stedet oplyser ad anden vej, f.eks. telefonisk; ellers beviser signaturen intet:
  ${packageKey}
Tider er målt af kameraer og optager og er ikke rettet; se "clock…" og "time" i manifestet.
Signaturen viser, hvad der blev udleveret, ikke at kameraet har set rigtigt.
Oplysningerne er fortrolige. Slet pakken, når den ikke længere er nødvendig.

ENGLISH
-------
originals/     ${redactedOnly ? 'Not in this package; manifest.json says why.' : 'The recordings bit for bit, as the recorder wrote them. Evidence.'}${
    alone
      ? `
               An .m4s is played behind its .init.mp4: cat NAME.m4s.init.mp4 NAME.m4s > film.mp4`
      : ''
  }
redacted/      Masked working copies (REDACTED-COPY), made from the originals. Not originals.
manifest.json  What the package holds: ranges, cameras, gaps, deleted parts, SHA-256 of each file,
               who asked, reviewed and approved (as ids), and what is masked.
manifest.sig   Ed25519 signature over the exact bytes of manifest.json.
keys/          Public keys. audit/  Proof from the gateway's log, with a signed checkpoint.

To check: tredive verify <this folder or ZIP> --key <key got another way>
The fingerprint of the key (SHA-256 of the public key in DER) has to be compared with the one that the
facility gives another way, by telephone for example; without that the signature proves nothing:
  ${packageKey}
Times were measured by cameras and recorder and are not corrected; see "clock…" and "time" in the manifest.
The signature shows what was handed over, not that the camera saw rightly.
The content is confidential. Delete the package when it is needed no longer.

WITHOUT TREDIVE / UDEN TREDIVE
------------------------------
  openssl pkey -pubin -in keys/package-key.pem -outform DER | sha256sum
  sed -n 's/^ed25519: //p' manifest.sig | base64 -d > sig.bin
  openssl pkeyutl -verify -pubin -inkey keys/package-key.pem -rawin -in manifest.json -sigfile sig.bin
  sha256sum originals/* redacted/*        (compare with / sammenlign med manifest.json)
`;
}
