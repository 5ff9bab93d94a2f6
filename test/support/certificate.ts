import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A certificate for localhost that is its own authority, good from 2020 to 2120. It guards nothing. */
const certificate = `
-----BEGIN CERTIFICATE-----
MIIBZzCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOwixdSHP1ApLEQv
/VzXD+AtG3fVFdHYQsY3XdzXVf/9soP7eBbG/BwE5MKC964XIfE8BiG/+7vjagp7
e/9CsqqjTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0
hwR/AAABMB0GA1UdDgQWBBT4SAhfh+PpgoTiqzGImJ7j8U14tjAKBggqhkjOPQQD
AgNIADBFAiEA6PmxT3hQ558w4EAlfqYsnt3rwCFprjU+a0Uy/PYOwHECIBCyjK39
oRGzY7jTLyNBWMUNbbPVRAS8IMubquzc7U/Z
-----END CERTIFICATE-----
`;
const privateKey = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgalNNWOxBcX1S0Pbm
7MeSyERl7p0SKFEsfN5xPk2y0++hRANCAATsIsXUhz9QKSxEL/1c1w/gLRt31RXR
2ELGN13c11X//bKD+3gWxvwcBOTCgveuFyHxPAYhv/u742oKe3v/QrKq
-----END PRIVATE KEY-----
`;

/** Writes certificate and key where a setting or an option can name them. */
export async function writeCertificate(folder: string): Promise<{ cert: string; key: string }> {
  const files = { cert: join(folder, "localhost.pem"), key: join(folder, "localhost.key") };
  await writeFile(files.cert, certificate.trimStart());
  await writeFile(files.key, privateKey.trimStart(), { mode: 0o600 });
  return files;
}
