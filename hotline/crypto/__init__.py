"""The only door to cryptography: libsodium (PyNaCl) and OpenSSL (cryptography).

signing      Ed25519 over unambiguous bytes
identity     the composite identity key of a party
sealing      HPKE openers, key derivation, committing AEAD, secrets at rest
epochs       which key seals envelope n
vault        key files sealed by a passphrase
fingerprint  keys as digits and words for people
tls          self-signed certificates that the charter pins
"""
