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
/// Version 3 is never sent to an agent: one gateway node sends it to another, with the cluster
/// identity and `u8 hops` of [Relayed] behind the addresses. Versions 4 and 5 are versions 2 and 3
/// with the trace behind the last text, as a `traceparent` of W3C Trace Context: 4 needs
/// [Capability#TRACE_CONTEXT], 5 a node that knows it.
///
/// @param servicePort 1 to 65535
/// @param serviceName may be empty, at most 1024 bytes in UTF-8, as all texts here
/// @param caller `null` for version 1
/// @param relayed `null` for versions 1, 2 and 4
/// @param trace `null` for versions 1 to 3
public record StreamHeader(
    Protocol protocol,
    int servicePort,
    String serviceName,
    String namespace,
    String tunnelId,
    @Nullable CallerAddress caller,
    @Nullable Relayed relayed,
    @Nullable TraceContext trace) {
  /// Of a stream that is for the agent itself: it says that its dial went well where it says such
  /// things, and ends. No tunnel can have this id. Needs [Capability#CANARY].
  public static final StreamHeader CANARY =
      new StreamHeader(Protocol.TCP, 1, "", "", "canary!", null);

  static final int VERSION = 1;
  static final int VERSION_WITH_CALLER = 2;
  static final int VERSION_OF_RELAYS = 3;
  static final int VERSION_WITH_TRACE = 4;
  static final int VERSION_OF_RELAYS_WITH_TRACE = 5;

  /// What a node must know of a stream that another node gives it.
  ///
  /// @param cluster whose agent the stream is for
  /// @param hops how often the stream was relayed, this time included: 1 to 255
  public record Relayed(String cluster, int hops) {
    public Relayed {
      requireShort("cluster", cluster);
      if (hops < 1 || hops > 0xff) {
        throw new IllegalArgumentException("hops: " + hops + " (expected: 1..255)");
      }
    }
  }

  /// A header for an agent.
  public StreamHeader(
      Protocol protocol,
      int servicePort,
      String serviceName,
      String namespace,
      String tunnelId,
      @Nullable CallerAddress caller) {
    this(protocol, servicePort, serviceName, namespace, tunnelId, caller, null, null);
  }

  public StreamHeader {
    if ((relayed != null || trace != null) && caller == null) {
      throw new IllegalArgumentException(
          "caller: null (expected: an address, where relayed or traced)");
    }
    if (servicePort < 1 || servicePort > 0xffff) {
      throw new IllegalArgumentException("servicePort: " + servicePort + " (expected: 1..65535)");
    }
    requireShort("serviceName", serviceName);
    requireShort("namespace", namespace);
    requireShort("tunnelId", tunnelId);
  }

  /// The same stream on its way over another node.
  public StreamHeader relayed(Relayed by) {
    return new StreamHeader(
        protocol, servicePort, serviceName, namespace, tunnelId, caller, by, trace);
  }

  /// The same stream as part of a trace, or of none. Where the caller is not told, nothing is.
  public StreamHeader traced(@Nullable TraceContext by) {
    return new StreamHeader(
        protocol,
        servicePort,
        serviceName,
        namespace,
        tunnelId,
        caller,
        relayed,
        caller == null ? null : by);
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
    if (relayed != null) {
      texts.add(relayed.cluster().getBytes(UTF_8));
    }
    if (trace != null) {
      texts.add(trace.format().getBytes(UTF_8));
    }
    int length = (relayed == null ? 4 : 5) + texts.stream().mapToInt(text -> 2 + text.length).sum();
    ByteBuffer target = ByteBuffer.allocate(length);
    target.put((byte) version()).put((byte) protocol.wireNumber()).putShort((short) servicePort);
    texts.forEach(text -> FieldReader.put(target, text));
    if (relayed != null) {
      target.put((byte) relayed.hops());
    }
    return target.flip();
  }

  private int version() {
    if (relayed != null) {
      return trace == null ? VERSION_OF_RELAYS : VERSION_OF_RELAYS_WITH_TRACE;
    }
    if (trace != null) {
      return VERSION_WITH_TRACE;
    }
    return caller == null ? VERSION : VERSION_WITH_CALLER;
  }

  private static void requireShort(String name, String text) {
    int length = text.getBytes(UTF_8).length;
    if (length > FieldReader.MAX_TEXT) {
      throw new IllegalArgumentException(
          name + ": " + length + " bytes (expected: at most " + FieldReader.MAX_TEXT + ")");
    }
  }
}
