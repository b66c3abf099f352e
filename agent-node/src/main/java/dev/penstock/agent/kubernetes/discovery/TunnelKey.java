package dev.penstock.agent.kubernetes.discovery;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.protocol.control.Protocol;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;

/// A tunnel's identity: the same for every agent of a cluster, after every restart, and whatever
/// else changes.
///
/// @param owner the Gateway or Service
/// @param section the listener's name, or the number of the Service's port
public record TunnelKey(String cluster, Protocol protocol, ObjectRef owner, String section)
    implements Comparable<TunnelKey> {
  private static final Comparator<TunnelKey> ORDER =
      Comparator.comparing(TunnelKey::owner)
          .thenComparing(TunnelKey::section)
          .thenComparing(TunnelKey::protocol)
          .thenComparing(TunnelKey::cluster);

  private static final int MAX_ID = 253;

  /// The tunnel id at the gateway, such as `tcp-lab:gateway:databases:postgres:pg`: no part can
  /// have a colon. One that would be too long is a digest instead.
  public String id() {
    String readable =
        String.join(
            ":",
            protocol.label() + "-" + cluster,
            owner.kind() == Kind.SERVICE ? "service" : "gateway",
            owner.namespace(),
            owner.name(),
            section);
    return readable.length() <= MAX_ID ? readable : protocol.label() + "-" + digest(readable, 32);
  }

  @Override
  public int compareTo(TunnelKey other) {
    return ORDER.compare(this, other);
  }

  /// The first `bytes` bytes of the SHA-256, as hexadecimal digits.
  static String digest(String text, int bytes) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
      return HexFormat.of().formatHex(digest, 0, bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
