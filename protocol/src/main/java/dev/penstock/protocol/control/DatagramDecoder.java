package dev.penstock.protocol.control;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Reads [DatagramFrames] out of chunks of any size. Holds one unfinished datagram, in memory that
/// grows with the bytes that came and not with the length that was announced: at most twice what
/// came, and 64 KiB. Not thread-safe.
public final class DatagramDecoder {
  private static final byte[] NOTHING = {};

  /// Bytes of the length that were read: 0, 1, or 2 while a datagram is unfinished.
  private int lengthBytes;

  private int length;
  private byte[] partial = NOTHING;
  private int filled;

  /// Takes bytes up to the end of the next datagram and returns that; a datagram that lies in
  /// `bytes` as a whole is a slice of it, not a copy.
  ///
  /// @return `null` when more bytes are needed; then all of `bytes` was taken
  /// @throws MalformedMessage a length is above [DatagramFrames#MAX_DATAGRAM]; decoding cannot go
  ///   on
  public @Nullable ByteBuffer feed(ByteBuffer bytes) throws MalformedMessage {
    while (lengthBytes < DatagramFrames.LENGTH_BYTES) {
      if (!bytes.hasRemaining()) {
        return null;
      }
      length = (length << 8) | (bytes.get() & 0xff);
      lengthBytes++;
    }
    if (length > DatagramFrames.MAX_DATAGRAM) {
      throw MalformedMessage.of(
          "datagram", length + " bytes", "at most " + DatagramFrames.MAX_DATAGRAM);
    }
    if (filled == 0 && bytes.remaining() >= length) {
      ByteBuffer whole = bytes.slice(bytes.position(), length);
      bytes.position(bytes.position() + length);
      next();
      return whole;
    }
    int taken = Math.min(length - filled, bytes.remaining());
    if (partial.length < filled + taken) {
      partial = Arrays.copyOf(partial, Math.min(length, 2 * (filled + taken)));
    }
    bytes.get(partial, filled, taken);
    filled += taken;
    if (filled < length) {
      return null;
    }
    ByteBuffer joined = ByteBuffer.wrap(partial, 0, length);
    next();
    return joined;
  }

  /// Whether the bytes so far end in the middle of a datagram or of its length.
  public boolean isInside() {
    return lengthBytes > 0;
  }

  private void next() {
    lengthBytes = 0;
    length = 0;
    partial = NOTHING;
    filled = 0;
  }
}
