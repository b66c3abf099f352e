package dev.penstock.testkit;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;

/// A reproducible sequence of bytes: the same seed and length give the same bytes. No two blocks of
/// it are equal, so bytes lost, doubled or moved change its digest.
///
/// @param seed what the bytes are made from
/// @param length in bytes
public record Payload(long seed, long length) {
  private static final int BLOCK = 64 * 1024;

  /// Length and checksum of a sequence of bytes.
  ///
  /// @param length in bytes
  /// @param crc32c CRC-32C of all of them
  public record Digest(long length, int crc32c) {
    private static final int WIRE_BYTES = Long.BYTES + Integer.BYTES;

    /// The digest of all bytes up to the end of `in`.
    public static Digest toEnd(InputStream in) throws IOException {
      var crc = new CRC32C();
      byte[] buffer = new byte[BLOCK];
      long length = 0;
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        crc.update(buffer, 0, n);
        length += n;
      }
      return new Digest(length, (int) crc.getValue());
    }

    /// The digest of the next `length` bytes of `in`.
    ///
    /// @throws EOFException there were fewer
    public static Digest ofNext(InputStream in, long length) throws IOException {
      var crc = new CRC32C();
      byte[] buffer = new byte[BLOCK];
      for (long left = length; left > 0; ) {
        int n = in.read(buffer, 0, (int) Math.min(buffer.length, left));
        if (n < 0) {
          throw new EOFException("ended " + left + " bytes early (expected: " + length + " bytes)");
        }
        crc.update(buffer, 0, n);
        left -= n;
      }
      return new Digest(length, (int) crc.getValue());
    }

    /// Reads what [#write] wrote.
    public static Digest read(InputStream in) throws IOException {
      byte[] bytes = in.readNBytes(WIRE_BYTES);
      if (bytes.length < WIRE_BYTES) {
        throw new EOFException("digest: " + bytes.length + " bytes (expected: " + WIRE_BYTES + ")");
      }
      var buffer = ByteBuffer.wrap(bytes);
      return new Digest(buffer.getLong(), buffer.getInt());
    }

    /// Writes it as 12 bytes, big endian.
    public void write(OutputStream out) throws IOException {
      out.write(ByteBuffer.allocate(WIRE_BYTES).putLong(length).putInt(crc32c).array());
      out.flush();
    }
  }

  /// Writes all bytes.
  public void write(OutputStream out) throws IOException {
    byte[] block = block();
    var numbered = ByteBuffer.wrap(block);
    long number = 0;
    for (long left = length; left > 0; number++) {
      int n = (int) Math.min(BLOCK, left);
      numbered.putLong(0, number ^ seed);
      out.write(block, 0, n);
      left -= n;
    }
    out.flush();
  }

  /// Writes all bytes and their end to a service of [EchoService.Behaviour#digest].
  ///
  /// @return what the service got
  public Digest digestedBy(Socket service) throws IOException {
    write(service.getOutputStream());
    service.shutdownOutput();
    return Digest.read(service.getInputStream());
  }

  /// The digest of these bytes.
  public Digest digest() {
    var crc = new CRC32C();
    byte[] block = block();
    var numbered = ByteBuffer.wrap(block);
    long number = 0;
    for (long left = length; left > 0; number++) {
      int n = (int) Math.min(BLOCK, left);
      numbered.putLong(0, number ^ seed);
      crc.update(block, 0, n);
      left -= n;
    }
    return new Digest(length, (int) crc.getValue());
  }

  private byte[] block() {
    byte[] bytes = new byte[BLOCK];
    new SplittableRandom(seed).nextBytes(bytes);
    return bytes;
  }
}
