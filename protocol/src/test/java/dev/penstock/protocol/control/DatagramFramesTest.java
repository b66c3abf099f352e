package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// [DatagramFrames] and [DatagramDecoder].
final class DatagramFramesTest {
  static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        "'',              00 00",
        "one,             00 03 6f 6e 65",
        "a question,      00 0a 61 20 71 75 65 73 74 69 6f 6e"
      })
  void aFrameIsTheLengthAndTheDatagram(String text, String frame) throws Exception {
    assertThat(hex(encode(List.of(text.getBytes(US_ASCII))))).isEqualTo(frame);
    assertThat(decode(bytes(frame))).containsExactly(text.getBytes(US_ASCII));
  }

  @Test
  void theLengthIsBigEndian() throws Exception {
    byte[] large = new byte[DatagramFrames.MAX_DATAGRAM];
    large[large.length - 1] = 7;
    ByteBuffer frame = encode(List.of(large));
    assertThat(frame.get(0)).isEqualTo((byte) 0xff);
    assertThat(frame.get(1)).isEqualTo((byte) 0xe3);
    assertThat(frame.remaining()).isEqualTo(DatagramFrames.size(large.length));
    assertThat(decode(frame)).containsExactly(large);
  }

  @Test
  void whatUdpCannotCarryIsNotEncoded() {
    var target = ByteBuffer.allocate(70_000);
    assertThatThrownBy(() -> DatagramFrames.put(target, ByteBuffer.allocate(65_508)))
        .hasMessage("datagram: 65508 bytes (expected: at most 65507)");
    assertThat(target.position()).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ff e4", // 65508, one more than there can be
        "ff ff",
        "ff ff 00 00 00 00",
        "00 01 61 ff e4" // behind a good one
      })
  void aLengthThatUdpDoesNotHaveIsMalformed(String frames) {
    assertThatThrownBy(() -> decode(bytes(frames)))
        .isInstanceOf(MalformedMessage.class)
        .hasMessageMatching("datagram: 6\\d{4} bytes \\(expected: at most 65507\\)");
  }

  @ParameterizedTest
  @ValueSource(strings = {"00", "ff", "00 01", "00 02 61", "00 01 61 00"})
  void anUnfinishedFrameIsNoDatagramYet(String frames) throws Exception {
    var decoder = new DatagramDecoder();
    ByteBuffer input = bytes(frames);
    while (decoder.feed(input) != null) {
      assertThat(decoder.isInside()).isFalse();
    }
    assertThat(input.hasRemaining()).isFalse();
    assertThat(decoder.isInside()).isTrue();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void datagramsComeOutAsTheyWentInInAnyChunking(long seed) throws Exception {
    RandomGenerator random = Seeds.random(seed);
    var sent = new ArrayList<byte[]>();
    for (int i = random.nextInt(1, 40); i > 0; i--) {
      byte[] datagram = new byte[size(random)];
      random.nextBytes(datagram);
      sent.add(datagram);
    }
    ByteBuffer all = encode(sent);
    var decoder = new DatagramDecoder();
    var received = new ArrayList<byte[]>();
    while (all.hasRemaining()) {
      int length = Math.min(all.remaining(), random.nextInt(10) == 0 ? 1 : size(random) + 1);
      // A copy that is wiped afterwards: nothing that was fed before may be needed again.
      byte[] piece = new byte[length];
      all.get(piece);
      var chunk = ByteBuffer.wrap(piece);
      var slices = new ArrayList<ByteBuffer>();
      for (ByteBuffer next = decoder.feed(chunk); next != null; next = decoder.feed(chunk)) {
        slices.add(next);
      }
      slices.forEach(slice -> received.add(copy(slice)));
      java.util.Arrays.fill(piece, (byte) 0x55);
    }
    assertThat(decoder.isInside()).isFalse();
    assertThat(received).usingElementComparator(java.util.Arrays::compare).isEqualTo(sent);
  }

  private static int size(RandomGenerator random) {
    return switch (random.nextInt(6)) {
      case 0 -> 0;
      case 1 -> 1;
      case 2 -> random.nextInt(DatagramFrames.MAX_DATAGRAM + 1);
      case 3 -> DatagramFrames.MAX_DATAGRAM;
      default -> random.nextInt(1500);
    };
  }

  private static ByteBuffer encode(List<byte[]> datagrams) {
    var target =
        ByteBuffer.allocate(
            datagrams.stream().mapToInt(it -> DatagramFrames.size(it.length)).sum());
    datagrams.forEach(datagram -> DatagramFrames.put(target, ByteBuffer.wrap(datagram)));
    assertThat(target.hasRemaining()).isFalse();
    return target.flip();
  }

  private static List<byte[]> decode(ByteBuffer input) throws MalformedMessage {
    var decoder = new DatagramDecoder();
    var all = new ArrayList<byte[]>();
    for (ByteBuffer next = decoder.feed(input); next != null; next = decoder.feed(input)) {
      all.add(copy(next));
    }
    return all;
  }

  private static byte[] copy(ByteBuffer buffer) {
    byte[] copy = new byte[buffer.remaining()];
    buffer.duplicate().get(copy);
    return copy;
  }

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(hex.replace(" ", "")));
  }

  private static String hex(ByteBuffer buffer) {
    return HexFormat.ofDelimiter(" ").formatHex(copy(buffer));
  }
}
