package dev.penstock.agent.kubernetes.discovery;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.protocol.control.Protocol;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.regex.Pattern;

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
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9._-]+");

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

  /// Without a colon, so that no two keys have one id.
  private static boolean isPlain(String part) {
    return PLAIN.matcher(part).matches();
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
