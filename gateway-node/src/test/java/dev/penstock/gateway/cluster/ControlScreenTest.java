package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.gateway.cluster.ControlScreen.Language;
import dev.penstock.gateway.cluster.ControlScreen.Refusal;
import dev.penstock.gateway.observe.ControlRejection;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ControlScreenTest {
  private static final int MAX = 2 << 20;

  private static Optional<Refusal> read(ControlScreen screen, String hex, int chunk) {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    for (int from = 0; from < bytes.length; from += chunk) {
      var refusal = screen.read(ByteBuffer.wrap(bytes, from, Math.min(chunk, bytes.length - from)));
      if (refusal.isPresent()) {
        return refusal;
      }
    }
    return Optional.empty();
  }

  @ParameterizedTest
  @CsvSource({
    // AKKA, a stream, a message of three bytes.
    "CLEAR, 41 4b 4b 41 01 03 00 00 00 01 02 03",
    "CLEAR, 41 4b 4b 41 03 00 00 20 00",
    // A handshake record, then an encrypted one.
    "TLS, 16 03 01 00 02 01 02 14 03 03 00 01 01 17 03 03 00 01 ff",
  })
  void aNodeIsKnownHoweverItsBytesAreCut(Language language, String hex) {
    for (int chunk : new int[] {1, 2, 5, 1000}) {
      var screen = new ControlScreen(language, MAX);
      assertThat(screen.isProven()).isFalse();
      assertThat(read(screen, hex, chunk)).isEmpty();
      assertThat(screen.isProven()).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "CLEAR, 47 45 54 20 2f 20 48 54 54 50, FOREIGN, first bytes 47",
    "CLEAR, 16 03 01 00 02, FOREIGN, first bytes 16",
    "CLEAR, 41 4b 4b 41 09, FOREIGN, first bytes 41",
    "CLEAR, 41 4b 4b 41 00, FOREIGN, first bytes 41",
    "CLEAR, 41 4b 4b 41 01 ff ff ff 7f, TOO_LONG, a message of 2147483647 bytes",
    "CLEAR, 41 4b 4b 41 01 ff ff ff ff, TOO_LONG, a message of 4294967295 bytes",
    "CLEAR, 41 4b 4b 41 01 01 00 00 00 aa 01 00 20 00, TOO_LONG, a message of 2097153 bytes",
    "TLS, 41 4b 4b 41 01, FOREIGN, first bytes 41",
    "TLS, 17 03 03 00 01, FOREIGN, first bytes 17",
    "TLS, 16 02 00, FOREIGN, first bytes 16",
    "TLS, 16 03 01 ff ff, FOREIGN, first bytes 16",
    "TLS, 16 03 01 00 01 01 47 45 54, FOREIGN, first bytes 16",
  })
  void aStrangerIsRefusedAtTheFirstWrongByte(
      Language language, String hex, ControlRejection why, String detail) {
    for (int chunk : new int[] {1, 1000}) {
      var refusal = read(new ControlScreen(language, MAX), hex, chunk).orElseThrow();
      assertThat(refusal.why()).isEqualTo(why);
      assertThat(refusal.detail()).startsWith(detail).contains("(expected: ");
    }
  }

  @Test
  void whatIsEncryptedIsNotReadAlong() {
    var screen = new ControlScreen(Language.TLS, MAX);
    assertThat(read(screen, "16 03 01 00 01 01 17 03 03 00 01 ff 47 45 54 20", 1)).isEmpty();
  }

  @Test
  void oneWhoSaysNothingIsNoStrangerYet() {
    var screen = new ControlScreen(Language.CLEAR, MAX);
    assertThat(screen.isEmpty()).isTrue();
    assertThat(screen.unfinished(ControlRejection.TIMED_OUT).detail())
        .isEqualTo("nothing (expected: a node of the cluster, without TLS)");
  }
}
