package dev.penstock.protocol.control;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// Reads one [DialStatus] out of chunks of any size. Holds at most 1 KiB. Not thread-safe.
public final class DialStatusDecoder {
  private enum State {
    CODE,
    LENGTH,
    TEXT,
    DONE
  }

  private final FieldReader field = new FieldReader();
  private State state = State.CODE;
  private DialStatus.Code code = DialStatus.Code.FAILED;

  public DialStatusDecoder() {
    field.expect(1);
  }

  /// Takes the status's bytes and leaves what follows them in the buffer. Not to be called again
  /// once it has returned a status or thrown.
  ///
  /// @return `null` while bytes are missing
  /// @throws MalformedMessage if this is no status; how much of the buffer was taken is undefined
  public @Nullable DialStatus feed(ByteBuffer bytes) throws MalformedMessage {
    if (state == State.DONE) {
      throw new IllegalStateException("the status was read already");
    }
    while (field.fill(bytes)) {
      switch (state) {
        case CODE -> {
          DialStatus.Code known = DialStatus.Code.of(field.u8());
          if (known == null) {
            throw MalformedMessage.of("code", String.valueOf(field.u8()), "0..7");
          }
          code = known;
          state = State.LENGTH;
          field.expect(2);
        }
        case LENGTH -> {
          field.expectText("text");
          state = State.TEXT;
        }
        case TEXT -> {
          state = State.DONE;
          return new DialStatus(code, field.text("text"));
        }
        case DONE -> throw new AssertionError("a field after the last");
      }
    }
    return null;
  }
}
