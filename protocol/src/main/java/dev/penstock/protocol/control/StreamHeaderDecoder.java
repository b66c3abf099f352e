package dev.penstock.protocol.control;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads one [StreamHeader] out of chunks of any size. Holds at most 7 KiB. Not thread-safe.
public final class StreamHeaderDecoder {
  private enum State {
    VERSION,
    PROTOCOL,
    PORT,
    LENGTH,
    TEXT,
    HOPS,
    DONE
  }

  /// Who the peer is, and so which headers it may send.
  public enum Sender {
    /// A gateway to its agent: versions 1, 2 and 4.
    GATEWAY,
    /// A node of the gateway's cluster to another: versions 3 and 5.
    NODE
  }

  private static final List<String> TEXTS =
      List.of("service_name", "namespace", "tunnel_id", "client", "listener", "cluster");

  private static final String TRACE = "trace";

  private final FieldReader field = new FieldReader();
  private final List<String> texts = new ArrayList<>(TEXTS.size());
  private State state = State.VERSION;
  private int version;
  private Protocol protocol = Protocol.TCP;
  private int port;
  private final Sender sender;

  /// Reads what a gateway sends to its agent.
  public StreamHeaderDecoder() {
    this(Sender.GATEWAY);
  }

  public StreamHeaderDecoder(Sender sender) {
    this.sender = sender;
    field.expect(1);
  }

  /// Takes the header's bytes and leaves what follows them in the buffer. Not to be called again
  /// once it has returned a header or thrown.
  ///
  /// @return `null` while bytes are missing
  /// @throws MalformedMessage if this is no header; how much of the buffer was taken is undefined
  public @Nullable StreamHeader feed(ByteBuffer bytes) throws MalformedMessage {
    if (state == State.DONE) {
      throw new IllegalStateException("the header was read already");
    }
    while (field.fill(bytes)) {
      StreamHeader header = next();
      if (header != null) {
        return header;
      }
    }
    return null;
  }

  /// Interprets the field just filled and begins the next.
  private @Nullable StreamHeader next() throws MalformedMessage {
    switch (state) {
      case VERSION -> {
        version = field.u8();
        if (textsOf(version) == 0) {
          throw MalformedMessage.of(
              "version", String.valueOf(version), sender == Sender.NODE ? "3 or 5" : "1, 2 or 4");
        }
        go(State.PROTOCOL, 1);
      }
      case PROTOCOL -> {
        protocol =
            switch (field.u8()) {
              case 1 -> Protocol.TCP;
              case 2 -> Protocol.UDP;
              default ->
                  throw MalformedMessage.of(
                      "protocol", String.valueOf(field.u8()), "1 (TCP) or 2 (UDP)");
            };
        go(State.PORT, 2);
      }
      case PORT -> {
        port = field.u16();
        if (port == 0) {
          throw MalformedMessage.of("service_port", "0", "1..65535");
        }
        go(State.LENGTH, 2);
      }
      case LENGTH -> {
        field.expectText(name());
        state = State.TEXT;
      }
      case TEXT -> {
        texts.add(field.text(name()));
        if (texts.size() < textsOf(version)) {
          go(State.LENGTH, 2);
        } else if (isOfNodes()) {
          go(State.HOPS, 1);
        } else {
          state = State.DONE;
          return header(null);
        }
      }
      case HOPS -> {
        if (field.u8() == 0) {
          throw MalformedMessage.of("hops", "0", "1..255");
        }
        state = State.DONE;
        return header(new StreamHeader.Relayed(texts.get(5), field.u8()));
      }
      case DONE -> throw new AssertionError("a field after the last");
    }
    return null;
  }

  private boolean isOfNodes() {
    return version == StreamHeader.VERSION_OF_RELAYS
        || version == StreamHeader.VERSION_OF_RELAYS_WITH_TRACE;
  }

  private boolean hasTrace() {
    return version == StreamHeader.VERSION_WITH_TRACE
        || version == StreamHeader.VERSION_OF_RELAYS_WITH_TRACE;
  }

  /// Of the text that comes.
  private String name() {
    return hasTrace() && texts.size() == textsOf(version) - 1 ? TRACE : TEXTS.get(texts.size());
  }

  private void go(State next, int length) {
    state = next;
    field.expect(length);
  }

  /// How many texts a header of that version has; 0 for one that the sender has no business with.
  private int textsOf(int version) {
    return switch (version) {
      case StreamHeader.VERSION -> sender == Sender.GATEWAY ? 3 : 0;
      case StreamHeader.VERSION_WITH_CALLER -> sender == Sender.GATEWAY ? 5 : 0;
      case StreamHeader.VERSION_OF_RELAYS -> sender == Sender.NODE ? 6 : 0;
      case StreamHeader.VERSION_WITH_TRACE -> sender == Sender.GATEWAY ? 6 : 0;
      case StreamHeader.VERSION_OF_RELAYS_WITH_TRACE -> sender == Sender.NODE ? 7 : 0;
      default -> 0;
    };
  }

  private StreamHeader header(StreamHeader.@Nullable Relayed relayed) throws MalformedMessage {
    CallerAddress caller =
        version == StreamHeader.VERSION
            ? null
            : new CallerAddress(
                CallerAddress.parse("client", texts.get(3)),
                CallerAddress.parse("listener", texts.get(4)));
    return new StreamHeader(
        protocol,
        port,
        texts.get(0),
        texts.get(1),
        texts.get(2),
        caller,
        relayed,
        hasTrace() ? TraceContext.parse(texts.getLast()) : null);
  }
}
