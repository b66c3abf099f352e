package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// The first bytes of a stream from the agent, when both ends named [Capability#DIAL_STATUS]:
/// whether it reached the service. After [Code#CONNECTED] the service's bytes follow, after any
/// other code nothing does.
///
/// ```
/// u8 code | u16 length | text in UTF-8
/// ```
///
/// @param text why, for people; cut to 1024 bytes in UTF-8 between two characters
public record DialStatus(Code code, String text) {
  /// The outcome of a dial.
  public enum Code {
    CONNECTED(0),
    /// The service's machine answered that nothing listens there.
    REFUSED(1),
    TIMED_OUT(2),
    /// No route to the service, or its network said so.
    UNREACHABLE(3),
    NAME_NOT_RESOLVED(4),
    /// The agent serves no such tunnel or does not allow the target.
    UNKNOWN_TUNNEL(5),
    /// The agent has too many connections.
    OVER_LIMIT(6),
    /// Anything else.
    FAILED(7);

    private final int wireNumber;

    Code(int wireNumber) {
      this.wireNumber = wireNumber;
    }

    public int wireNumber() {
      return wireNumber;
    }

    /// The name in snake case, as a value of a metric's label.
    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }

    /// The code with that [#label]; null when there is none.
    static @Nullable Code ofLabel(String label) {
      for (Code code : values()) {
        if (code.label().equals(label)) {
          return code;
        }
      }
      return null;
    }

    static @Nullable Code of(int wireNumber) {
      for (Code code : values()) {
        if (code.wireNumber == wireNumber) {
          return code;
        }
      }
      return null;
    }
  }

  public DialStatus {
    text = FieldReader.truncate(text);
  }

  public static DialStatus connected() {
    return new DialStatus(Code.CONNECTED, "");
  }

  /// The bytes in a buffer on the heap, ready to be read.
  public ByteBuffer encode() {
    byte[] encoded = text.getBytes(UTF_8);
    ByteBuffer target = ByteBuffer.allocate(3 + encoded.length).put((byte) code.wireNumber());
    FieldReader.put(target, encoded);
    return target.flip();
  }
}
