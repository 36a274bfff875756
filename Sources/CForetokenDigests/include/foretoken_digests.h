/// Digests of files: SHA-256 (FIPS 180-4), and SHA-1, by which git and Hugging Face's hub name small files. They find damage;
/// nothing secret depends on them.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t words[8];
  uint64_t byte_count;
  uint8_t pending[64]; ///< the last `byte_count % 64` bytes
} ft_digest;

void ft_sha256_begin(ft_digest *digest);
void ft_sha256_add(ft_digest *digest, const void *bytes, size_t count);
/// Writes 32 bytes. The digest is used up.
void ft_sha256_end(ft_digest *digest, uint8_t *output);

void ft_sha1_begin(ft_digest *digest);
void ft_sha1_add(ft_digest *digest, const void *bytes, size_t count);
/// Writes 20 bytes. The digest is used up.
void ft_sha1_end(ft_digest *digest, uint8_t *output);
