package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The first bytes of a stream, from the gateway to the agent: what to connect it to.
///
/// ```
/// u8 version | u8 protocol | u16 port | service | namespace | tunnel id [ | client | listener ]
/// ```
///
/// All numbers are big endian; the texts are UTF-8 behind a 16 bit length in bytes. Version 1 is
/// the original's. Version 2 adds the two addresses of [CallerAddress], as `192.0.2.7:5432` or
/// `[2001:db8::7]:5432`; it is understood only by an agent that named [Capability#CALLER_ADDRESS].
///
/// @param servicePort 1 to 65535
/// @param serviceName may be empty, at most 1024 bytes in UTF-8, as all texts here
/// @param caller `null` for version 1
public record StreamHeader(
    Protocol protocol,
    int servicePort,
    String serviceName,
    String namespace,
    String tunnelId,
    @Nullable CallerAddress caller) {
  /// Of a stream that is for the agent itself: it says that its dial went well where it says such
  /// things, and ends. No tunnel can have this id. Needs [Capability#CANARY].
  public static final StreamHeader CANARY =
      new StreamHeader(Protocol.TCP, 1, "", "", "canary!", null);

  static final int VERSION = 1;
  static final int VERSION_WITH_CALLER = 2;

  public StreamHeader {
    if (servicePort < 1 || servicePort > 0xffff) {
      throw new IllegalArgumentException("servicePort: " + servicePort + " (expected: 1..65535)");
    }
    requireShort("serviceName", serviceName);
    requireShort("namespace", namespace);
    requireShort("tunnelId", tunnelId);
  }

  /// Whether this is [#CANARY].
  public boolean isCanary() {
    return tunnelId.equals(CANARY.tunnelId);
  }

  /// The bytes in a buffer on the heap, ready to be read.
  public ByteBuffer encode() {
    List<byte[]> texts = new ArrayList<>();
    texts.add(serviceName.getBytes(UTF_8));
    texts.add(namespace.getBytes(UTF_8));
    texts.add(tunnelId.getBytes(UTF_8));
    if (caller != null) {
      texts.add(CallerAddress.format(caller.client()).getBytes(UTF_8));
      texts.add(CallerAddress.format(caller.listener()).getBytes(UTF_8));
    }
    int length = 4 + texts.stream().mapToInt(text -> 2 + text.length).sum();
    ByteBuffer target = ByteBuffer.allocate(length);
    target
        .put((byte) (caller == null ? VERSION : VERSION_WITH_CALLER))
        .put((byte) protocol.wireNumber())
        .putShort((short) servicePort);
    texts.forEach(text -> FieldReader.put(target, text));
    return target.flip();
  }

  private static void requireShort(String name, String text) {
    int length = text.getBytes(UTF_8).length;
    if (length > FieldReader.MAX_TEXT) {
      throw new IllegalArgumentException(
          name + ": " + length + " bytes (expected: at most " + FieldReader.MAX_TEXT + ")");
    }
  }
}
