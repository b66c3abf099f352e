package dev.penstock.gateway.leases;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import dev.penstock.gateway.leases.LeaseStore.LeaseEvent;
import dev.penstock.gateway.leases.LeaseStore.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class FileLeaseStoreTest {
  private static final String HEADER =
      "{\"event\":\"journal\",\"version\":1,\"highest_fencing\":3}\n";
  private static final String HELD =
      "{\"event\":\"held\",\"cluster\":\"lab\",\"tunnel\":\"a\",\"transport\":\"tcp\",\"port\":10080,"
          + "\"fencing\":3,\"registration\":\"{}\"}\n";

  @TempDir Path directory;

  private Path journal() {
    return directory.resolve("leases.jsonl");
  }

  private static Lease lease(String tunnel, int port, long fencing) {
    return new Lease(
        new TunnelIdentity("lab", tunnel), Transport.TCP, port, fencing, "{\"größe\":\"\n\"}");
  }

  private Stored load() throws IOException {
    try (var store = FileLeaseStore.open(directory)) {
      return store.load();
    }
  }

  @Test
  void whatWasAppendedIsFoundAgain() throws IOException {
    try (var store = FileLeaseStore.open(directory.resolve("new/deep"))) {
      assertThat(store.load()).isEqualTo(new Stored(List.of(), 0, List.of()));
      store.append(new LeaseEvent.Held(lease("a", 10_001, 1)));
      store.append(new LeaseEvent.Held(lease("b", 10_002, 2)));
      store.append(new LeaseEvent.Released(new TunnelIdentity("lab", "b"), Transport.TCP));
    }
    for (int i = 0; i < 2; i++) {
      try (var store = FileLeaseStore.open(directory.resolve("new/deep"))) {
        assertThat(store.load())
            .isEqualTo(new Stored(List.of(lease("a", 10_001, 1)), 2, List.of()));
      }
    }
    assertThat(directory.resolve("new/deep/leases.jsonl.new")).doesNotExist();
  }

  @Test
  void theFormatIsThatOfTheReferenceLines() throws IOException {
    Files.writeString(journal(), HEADER + HELD);
    var stored = load();
    assertThat(stored.leases())
        .containsExactly(new Lease(new TunnelIdentity("lab", "a"), Transport.TCP, 10_080, 3, "{}"));
    assertThat(journal()).hasContent(HEADER + HELD);
  }

  @Test
  void loadingLeavesOneLineForEachLease() throws IOException {
    try (var store = FileLeaseStore.open(directory)) {
      store.load();
      for (int i = 1; i <= 50; i++) {
        store.append(new LeaseEvent.Held(lease("a", 10_001, i)));
      }
    }
    assertThat(load().highestFencing()).isEqualTo(50);
    assertThat(Files.readAllLines(journal())).hasSize(2);
  }

  @Test
  void aProcessKilledAtAnyByteOfTheLastAppendLosesThatAppendOnly() throws IOException {
    int before;
    try (var store = FileLeaseStore.open(directory)) {
      store.load();
      store.append(new LeaseEvent.Held(lease("a", 10_001, 1)));
      before = (int) Files.size(journal());
      store.append(new LeaseEvent.Held(lease("b", 10_002, 2)));
    }
    byte[] whole = Files.readAllBytes(journal());
    for (int length = before; length <= whole.length; length++) {
      Files.write(journal(), Arrays.copyOf(whole, length));
      var stored = load();
      if (length == whole.length) {
        assertThat(stored.leases()).hasSize(2);
      } else {
        assertThat(stored.leases()).containsExactly(lease("a", 10_001, 1));
      }
      boolean torn = length > before && length < whole.length;
      assertThat(stored.warnings())
          .isEqualTo(
              torn
                  ? List.of(journal() + ":3: dropped a change that was only half written")
                  : List.of());
      try (var store = FileLeaseStore.open(directory)) {
        store.load();
        store.append(new LeaseEvent.Held(lease("c", 10_003, 3)));
      }
      assertThat(load().leases()).contains(lease("c", 10_003, 3));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "garbage # 2 # found no JSON",
        "'' # 2 # event: missing (expected: a text)",
        "{} # 2 # event: missing (expected: a text)",
        "{\"event\":\"x\"} # 2 # event: unknown (expected: journal, held or released)",
        "{\"event\":\"released\",\"cluster\":\"a\",\"tunnel\":\"b\",\"transport\":\"sctp\"} # 2 #"
            + " transport: unknown (expected: tcp or udp)",
      })
  void aDamagedLineStopsTheLoad(String line, int number, String problem) throws IOException {
    Files.writeString(journal(), HEADER + line.replace("''", "") + "\n" + HELD);
    assertThatThrownBy(this::load)
        .isInstanceOf(FileLeaseStore.Corrupt.class)
        .hasMessage(
            journal()
                + ":"
                + number
                + ": "
                + problem
                + "; repair or remove the line, or move the file away to start without leases");
    assertThat(Files.readString(journal())).endsWith(HELD);
  }

  @Test
  void whatIsNoJournalIsLeftAlone() throws IOException {
    for (String content : List.of("", HELD, HEADER.replace(":1,", ":2,"), HEADER + HEADER)) {
      Files.writeString(journal(), content);
      assertThatThrownBy(this::load).isInstanceOf(FileLeaseStore.Corrupt.class);
      assertThat(journal()).hasContent(content);
    }
    Files.write(journal(), new byte[] {(byte) 0xff, '\n'});
    assertThatThrownBy(this::load).hasMessageContaining(":1: found bytes that are not UTF-8");
    Files.writeString(journal(), HEADER + HELD + HELD.replace("\"a\"", "\"b\""));
    assertThatThrownBy(this::load)
        .hasMessageContaining("at the end, port 10080 is held by two tunnels");
  }

  @Test
  void aDirectoryBelongsToOneGateway() throws IOException {
    try (var first = FileLeaseStore.open(directory)) {
      assertThat(first.load().leases()).isEmpty();
      assertThatThrownBy(() -> FileLeaseStore.open(directory))
          .isInstanceOf(FileLeaseStore.InUse.class)
          .hasMessage(directory + " is used by another gateway (expected: a directory of its own)");
    }
    assertThat(load().leases()).isEmpty();
  }

  @Test
  void aGrantThatCannotBeWrittenWasNeverMade() throws IOException {
    var failing =
        new LeaseStore() {
          @Override
          public Stored load() {
            return new Stored(List.of(), 0, List.of());
          }

          @Override
          public void append(LeaseEvent event) throws IOException {
            throw new IOException("disk full");
          }

          @Override
          public void close() {}
        };
    var leases = Leases.open(failing, new PortRange(10_000, 10_100));
    var request =
        new LeaseRequest(
            new TunnelIdentity("lab", "a"), Transport.TCP, 80, OptionalInt.empty(), "{}");
    assertThatThrownBy(() -> leases.lease(request)).hasMessage("disk full");
    assertThat(leases.leases()).isEmpty();
    assertThatThrownBy(() -> leases.lease(request)).hasMessage("disk full");
  }

  @Test
  void aPortRefusedByTheSystemIsExchangedForAnother() throws IOException {
    var range = new PortRange(10_000, 10_100);
    var identity = new TunnelIdentity("lab", "a");
    var request = new LeaseRequest(identity, Transport.TCP, 80, OptionalInt.empty(), "{}");
    try (var store = FileLeaseStore.open(directory)) {
      var leases = Leases.open(store, range);
      assertThat(((Granted) leases.lease(request)).lease().port()).isEqualTo(10_080);
      leases.refusedBySystem(Transport.TCP, 10_080);
      assertThat(((Granted) leases.lease(request)).lease().port()).isEqualTo(10_081);
    }
    try (var store = FileLeaseStore.open(directory)) {
      assertThat(Leases.open(store, range).at(Transport.TCP, 10_081)).isPresent();
    }
  }

  static LongStream seeds() {
    Long pinned = Long.getLong("seed");
    return pinned != null ? LongStream.of(pinned) : LongStream.range(0, 20);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void everyTunnelFindsItsPortAgainAfterAnyRestart(long seed) throws IOException {
    var random = new SplittableRandom(seed);
    var range = new PortRange(10_000, 10_020);
    Map<TunnelIdentity, Lease> model = new HashMap<>();
    for (int life = 0; life < 4; life++) {
      try (var store = FileLeaseStore.open(directory)) {
        var leases = Leases.open(store, range);
        assertThat(leases.leases()).containsExactlyInAnyOrderElementsOf(model.values());
        for (int step = 0; step < 20; step++) {
          var identity = new TunnelIdentity("c", "t" + random.nextInt(25));
          if (random.nextInt(4) == 0) {
            leases.release(identity, Transport.TCP);
            model.remove(identity);
          } else {
            var request =
                new LeaseRequest(
                    identity,
                    Transport.TCP,
                    random.nextInt(1, 40),
                    OptionalInt.empty(),
                    "r" + random.nextInt(2));
            if (leases.lease(request) instanceof Granted(var lease, _)) {
              model.put(identity, lease);
            }
          }
        }
      }
      if (random.nextBoolean()) {
        Files.writeString(journal(), "{\"event\":\"he", StandardOpenOption.APPEND);
      }
    }
  }
}
