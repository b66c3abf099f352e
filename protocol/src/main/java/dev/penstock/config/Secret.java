package dev.penstock.config;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.jspecify.annotations.Nullable;

/// A value that must not be seen, such as a bearer token: printing it shows nothing of it,
/// comparing it takes the same time whatever the two values are. Immutable.
public final class Secret {
  private final String value;
  private final byte[] digest;

  private Secret(String value) {
    this.value = value;
    this.digest = sha256(value);
  }

  public static Secret of(String value) {
    return new Secret(value);
  }

  /// The value itself, for the one place that sends it.
  public String reveal() {
    return value;
  }

  /// Compares digests, so that neither the position of a difference nor the length shows in the
  /// time.
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Secret secret && MessageDigest.isEqual(digest, secret.digest);
  }

  @Override
  public int hashCode() {
    return (digest[0] & 0xff) << 24
        | (digest[1] & 0xff) << 16
        | (digest[2] & 0xff) << 8
        | (digest[3] & 0xff);
  }

  @Override
  public String toString() {
    return "Secret[hidden]";
  }

  private static byte[] sha256(String value) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(value.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
