package dev.penstock.protocol.control;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads one [StreamHeader] out of chunks of any size. Holds at most 6 KiB. Not thread-safe.
public final class StreamHeaderDecoder {
  private enum State {
    VERSION,
    PROTOCOL,
    PORT,
    LENGTH,
    TEXT,
    DONE
  }

  private static final List<String> TEXTS =
      List.of("service_name", "namespace", "tunnel_id", "client", "listener");

  private final FieldReader field = new FieldReader();
  private final List<String> texts = new ArrayList<>(TEXTS.size());
  private State state = State.VERSION;
  private int version;
  private Protocol protocol = Protocol.TCP;
  private int port;

  public StreamHeaderDecoder() {
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
        if (version != StreamHeader.VERSION && version != StreamHeader.VERSION_WITH_CALLER) {
          throw MalformedMessage.of("version", String.valueOf(version), "1 or 2");
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
        field.expectText(TEXTS.get(texts.size()));
        state = State.TEXT;
      }
      case TEXT -> {
        texts.add(field.text(TEXTS.get(texts.size())));
        if (texts.size() == (version == StreamHeader.VERSION ? 3 : 5)) {
          state = State.DONE;
          return header();
        }
        go(State.LENGTH, 2);
      }
      case DONE -> throw new AssertionError("a field after the last");
    }
    return null;
  }

  private void go(State next, int length) {
    state = next;
    field.expect(length);
  }

  private StreamHeader header() throws MalformedMessage {
    CallerAddress caller =
        version == StreamHeader.VERSION
            ? null
            : new CallerAddress(
                CallerAddress.parse("client", texts.get(3)),
                CallerAddress.parse("listener", texts.get(4)));
    return new StreamHeader(protocol, port, texts.get(0), texts.get(1), texts.get(2), caller);
  }
}
