package dev.penstock.agent.kubernetes.discovery;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.protocol.control.Protocol;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/// A tunnel's identity: the same for every agent of a cluster, after every restart, and whatever
/// else changes.
///
/// @param owner the Gateway or Service
/// @param section the listener's name, or the number of the Service's port
public record TunnelKey(String cluster, Protocol protocol, ObjectRef owner, String section)
    implements Comparable<TunnelKey> {
  private static final int MAX_ID = 253;

  /// The tunnel id at the gateway, such as `tcp-lab:gateway:databases:postgres:pg`. What would be
  /// too long, or has a part that no name of Kubernetes has, is a digest instead.
  public String id() {
    String[] parts = {
      protocol.label() + "-" + cluster,
      owner.kind() == Kind.SERVICE ? "service" : "gateway",
      owner.namespace(),
      owner.name(),
      section
    };
    String readable = String.join(":", parts);
    return readable.length() <= MAX_ID && Arrays.stream(parts).allMatch(TunnelKey::isPlain)
        ? readable
        : protocol.label() + "-" + digest(String.join("\0", parts), 32);
  }

  /// Without a colon, so that no two keys have one id. Asked several times for each tunnel of each
  /// look, hence without a pattern.
  private static boolean isPlain(String part) {
    for (int i = 0; i < part.length(); i++) {
      char c = part.charAt(i);
      boolean isPlain =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '.'
              || c == '_'
              || c == '-';
      if (!isPlain) {
        return false;
      }
    }
    return !part.isEmpty();
  }

  @Override
  public int compareTo(TunnelKey other) {
    int byOwner = owner.compareTo(other.owner);
    int bySection = byOwner == 0 ? section.compareTo(other.section) : byOwner;
    int byProtocol = bySection == 0 ? protocol.compareTo(other.protocol) : bySection;
    return byProtocol == 0 ? cluster.compareTo(other.cluster) : byProtocol;
  }

  // Asked for as often as those of its owner.

  @Override
  public boolean equals(Object other) {
    return this == other
        || (other instanceof TunnelKey that
            && protocol == that.protocol
            && section.equals(that.section)
            && owner.equals(that.owner)
            && cluster.equals(that.cluster));
  }

  @Override
  public int hashCode() {
    return (owner.hashCode() * 31 + section.hashCode()) * 31 + protocol.label().hashCode();
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
