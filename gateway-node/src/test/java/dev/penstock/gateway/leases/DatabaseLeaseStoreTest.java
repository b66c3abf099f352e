package dev.penstock.gateway.leases;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import dev.penstock.gateway.leases.LeaseStore.Change;
import dev.penstock.gateway.leases.LeaseStore.Stored;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class DatabaseLeaseStoreTest {
  private static final PortRange RANGE = new PortRange(10_000, 10_100);
  private static final Quota QUOTA = Quota.ofTunnels(1_000);

  @TempDir Path directory;

  private Path file() {
    return directory.resolve("tunnels.mv.db");
  }

  private static TunnelIdentity id(String tunnel) {
    return new TunnelIdentity("lab", tunnel);
  }

  private static TunnelRecord tunnel(String tunnel, int port, long fencing) {
    return new TunnelRecord(
        id(tunnel),
        Transport.TCP,
        new Lease(port, fencing),
        Origin.REGISTRATION,
        "{\"größe\":\"\n\"}");
  }

  private static LeaseRequest request(TunnelIdentity identity, int listenerPort, String text) {
    return new LeaseRequest(
        identity, Transport.TCP, new PortWish.Near(listenerPort), Origin.REGISTRATION, text);
  }

  private Stored load() throws IOException {
    try (var store = DatabaseLeaseStore.open(directory)) {
      return store.load();
    }
  }

  private void write(Change... changes) throws IOException {
    try (var store = DatabaseLeaseStore.open(directory)) {
      store.write(List.of(changes));
    }
  }

  private void sql(String statement) throws SQLException {
    try (Connection connection =
            DriverManager.getConnection("jdbc:h2:file:" + directory.resolve("tunnels"));
        var run = connection.createStatement()) {
      run.execute(statement);
    }
  }

  @Test
  void whatWasWrittenIsFoundAgain() throws IOException {
    var deep = directory.resolve("new/deep");
    var direct =
        new TunnelRecord(id("d"), Transport.UDP, null, Origin.SYNC, "x".repeat(512 * 1024));
    var udp = new TunnelRecord(id("u"), Transport.UDP, new Lease(10_001, 3), Origin.SYNC, "");
    try (var store = DatabaseLeaseStore.open(deep)) {
      assertThat(store.load()).isEqualTo(new Stored(List.of(), 0));
      store.write(
          List.of(
              new Change.Held(tunnel("a", 10_001, 1)),
              new Change.Held(tunnel("b", 10_002, 4)),
              new Change.Held(direct),
              new Change.Held(udp)));
      store.write(List.of(new Change.Released(id("b"))));
      store.write(List.of(new Change.Held(tunnel("c", 10_002, 2))));
    }
    for (int i = 0; i < 2; i++) {
      try (var store = DatabaseLeaseStore.open(deep)) {
        var stored = store.load();
        assertThat(stored.tunnels())
            .containsExactlyInAnyOrder(tunnel("a", 10_001, 1), tunnel("c", 10_002, 2), direct, udp);
        assertThat(stored.highestFencing()).isEqualTo(4);
      }
    }
  }

  @Test
  void whatIsKeptAndReservedIsFoundAgainUntilItNoLongerIs() throws IOException {
    var kept = new LeaseStore.KeptPort(id("a"), Transport.TCP, 10_001, 5);
    var reservation = new Reservation(Transport.UDP, 10_053, "lab");
    write(new Change.Held(tunnel("a", 10_001, 1)));
    write(new Change.Kept(kept), new Change.Reserved(reservation));
    for (int i = 0; i < 2; i++) {
      assertThat(load()).isEqualTo(new Stored(List.of(), 1, List.of(kept), List.of(reservation)));
    }
    write(new Change.Held(tunnel("b", 10_001, 2)), new Change.Unreserved(Transport.UDP, 10_053));
    assertThat(load()).isEqualTo(new Stored(List.of(tunnel("b", 10_001, 2)), 2));
  }

  @Test
  void aDatabaseOfTheReleaseBeforeIsBroughtUpToDate() throws Exception {
    write(new Change.Held(tunnel("a", 10_001, 1)));
    sql("DROP TABLE kept");
    sql("DROP TABLE reservation");
    sql("UPDATE store SET schema_version = 1");
    var kept = new LeaseStore.KeptPort(id("a"), Transport.TCP, 10_001, 5);
    write(new Change.Kept(kept));
    assertThat(load()).isEqualTo(new Stored(List.of(), 1, List.of(kept), List.of()));
  }

  @Test
  void aWriteIsDoneAsAWholeOrNotAtAll() throws IOException {
    write(new Change.Held(tunnel("a", 10_001, 1)));
    assertThatThrownBy(() ->
            write(
                new Change.Held(tunnel("b", 10_002, 2)),
                new Change.Released(id("a")),
                new Change.Held(tunnel("c", 10_002, 3))))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith(file().toAbsolutePath() + ": Unique index");
    assertThat(load()).isEqualTo(new Stored(List.of(tunnel("a", 10_001, 1)), 1));
  }

  @Test
  void aDirectoryBelongsToOneGateway() throws IOException {
    try (var first = DatabaseLeaseStore.open(directory)) {
      assertThatThrownBy(() -> DatabaseLeaseStore.open(directory))
          .isInstanceOf(DatabaseLeaseStore.InUse.class)
          .hasMessage(directory + " is used by another gateway (expected: a directory of its own)");
      assertThat(first.load().tunnels()).isEmpty();
    }
    assertThat(load().tunnels()).isEmpty();
  }

  @Test
  void aDatabaseOfANewerGatewayIsLeftAlone() throws Exception {
    write(new Change.Held(tunnel("a", 10_001, 1)));
    sql("UPDATE store SET schema_version = 3");
    assertThatThrownBy(this::load)
        .isInstanceOf(DatabaseLeaseStore.Unusable.class)
        .hasMessageContaining("has schema version 3 (expected: 2); a newer gateway wrote it");
    sql("UPDATE store SET schema_version = 2");
    assertThat(load().tunnels()).hasSize(1);
  }

  @Test
  void aDatabaseOfAnotherProgramIsLeftAlone() throws Exception {
    sql("CREATE TABLE accounts (id INT)");
    assertThatThrownBy(this::load)
        .isInstanceOf(DatabaseLeaseStore.Unusable.class)
        .hasMessageContaining("cannot be read as a gateway's database (Table \"STORE\" not found");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4_096, 8_192})
  void aFileThatIsNoDatabaseStopsEveryStart(int kept) throws IOException {
    write(new Change.Held(tunnel("a", 10_001, 1)));
    byte[] content = Files.readAllBytes(file());
    Arrays.fill(content, kept, content.length, (byte) 'x');
    Files.write(file(), content);
    for (int start = 0; start < 3; start++) {
      assertThatThrownBy(this::load)
          .isInstanceOf(DatabaseLeaseStore.Unusable.class)
          .hasMessageStartingWith(file() + ": cannot be read as a gateway's database (")
          .hasMessageEndingWith(
              "); restore it from a copy, or move it away to start without tunnels");
    }
    Files.delete(file());
    assertThat(load().tunnels()).isEmpty();
  }

  @Test
  void aPathThatWouldReadAsSettingsIsRefused() {
    assertThatThrownBy(() -> DatabaseLeaseStore.open(directory.resolve("a;INIT=x")))
        .hasMessageEndingWith("has a semicolon (expected: a path without one)");
  }

  /// Writes one tunnel after another and says so after each, until it is killed.
  static final class Writer {
    private Writer() {}

    public static void main(String[] arguments) throws IOException {
      // Small, so that the file is written anew every few changes.
      try (var store = DatabaseLeaseStore.open(Path.of(arguments[0]), 64 * 1024)) {
        var leases =
            Leases.open(
                store, LeasePolicy.open(new PortRange(10_000, 60_000), Quota.ofTunnels(60_000)));
        int first = leases.tunnels().size();
        for (int i = first; ; i += 3) {
          leases.leaseAll(
              IntStream.range(i, i + 3).mapToObj(n -> request(id("t" + n), n + 1, "{}")).toList());
          System.out.println(i + 3);
        }
      }
    }
  }

  @Test
  @Timeout(120)
  void whatWasAcknowledgedSurvivesAKillAtAnyMoment() throws Exception {
    int acknowledged = 0;
    for (int life = 0; life < 4; life++) {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-XX:TieredStopAtLevel=1",
                  "-cp",
                  System.getProperty("java.class.path"),
                  Writer.class.getName(),
                  directory.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      try (var said =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (int i = 0; i < 40 + 17 * life; i++) {
          acknowledged = Integer.parseInt(said.readLine());
        }
        process.toHandle().destroyForcibly();
        for (String line = said.readLine(); line != null; line = said.readLine()) {
          acknowledged = Integer.parseInt(line);
        }
      }
      process.waitFor();
      var stored = load();
      assertThat(stored.tunnels().size()).isGreaterThanOrEqualTo(acknowledged);
      assertThat(stored.tunnels().size() % 3).as("tunnels of half a write").isZero();
      for (int i = 0; i < acknowledged; i++) {
        int n = i;
        assertThat(stored.tunnels())
            .anyMatch(tunnel ->
                tunnel.identity().equals(id("t" + n)) && tunnel.lease().port() == 10_001 + n);
      }
    }
  }

  @Test
  void theFileIsBoundedHoweverOftenTheSameTunnelsChange() throws IOException {
    long above = 256 * 1024;
    long largest = 0;
    try (var store = DatabaseLeaseStore.open(directory, above)) {
      var leases =
          Leases.open(store, LeasePolicy.open(new PortRange(10_000, 60_000), Quota.ofTunnels(100)));
      for (int i = 0; i < 300; i++) {
        leases.leaseAll(List.of(request(id("t" + i % 10), i % 10 + 1, "change " + i)));
        largest = Math.max(largest, Files.size(directory.resolve("tunnels.mv.db")));
      }
      // Once the limit is passed by a change, the next one finds a small file.
      assertThat(largest).isBetween(above / 2, above + 64 * 1024);
    }
    var stored = load();
    assertThat(stored.tunnels()).hasSize(10);
    assertThat(stored.tunnels())
        .extracting(TunnelRecord::registration)
        .containsExactlyInAnyOrderElementsOf(
            IntStream.range(290, 300).mapToObj(i -> "change " + i).toList());
    assertThat(stored.highestFencing()).isEqualTo(10);
    try (Stream<Path> files = Files.list(directory)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder("lock", "tunnels.mv.db");
    }
  }

  @Test
  void aGrantThatCannotBeWrittenWasNeverMade() throws IOException {
    var failing =
        new LeaseStore() {
          @Override
          public Stored load() {
            return new Stored(List.of(tunnel("old", 10_001, 1)), 1);
          }

          @Override
          public void write(List<Change> changes) throws IOException {
            throw new IOException("disk full");
          }

          @Override
          public void close() {}
        };
    var leases = Leases.open(failing, LeasePolicy.open(RANGE, QUOTA));
    var requests = List.of(request(id("old"), 80, "new"), request(id("a"), 80, "{}"));
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> leases.leaseAll(requests)).hasMessage("disk full");
      assertThat(leases.tunnels()).containsExactly(tunnel("old", 10_001, 1));
      assertThat(leases.at(Transport.TCP, 10_080)).isEmpty();
      assertThat(leases.at(Transport.TCP, 10_001)).isPresent();
    }
    assertThatThrownBy(() -> leases.releaseAll(List.of(id("old")))).hasMessage("disk full");
    assertThat(leases.tunnels()).hasSize(1);
  }

  @Test
  void aPortRefusedByTheSystemIsExchangedForAnother() throws IOException {
    var request = request(id("a"), 80, "{}");
    try (var store = DatabaseLeaseStore.open(directory)) {
      var leases = Leases.open(store, LeasePolicy.open(RANGE, QUOTA));
      TunnelRecord granted = ((Granted) leases.lease(request)).tunnel();
      assertThat(granted.lease().port()).isEqualTo(10_080);
      leases.refusedBySystem(granted, null);
      assertThat(leases.tunnels()).isEmpty();
      granted = ((Granted) leases.lease(request)).tunnel();
      assertThat(granted.lease().port()).isEqualTo(10_081);
    }
    try (var store = DatabaseLeaseStore.open(directory)) {
      assertThat(Leases.open(store, LeasePolicy.open(RANGE, QUOTA)).at(Transport.TCP, 10_081))
          .isPresent();
    }
  }

  static LongStream seeds() {
    Long pinned = Long.getLong("seed");
    return pinned != null ? LongStream.of(pinned) : LongStream.range(0, 10);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void everyTunnelFindsItsPortAgainAfterAnyRestart(long seed) throws IOException {
    var random = new SplittableRandom(seed);
    var range = new PortRange(10_000, 10_020);
    Map<TunnelIdentity, TunnelRecord> model = new HashMap<>();
    for (int life = 0; life < 4; life++) {
      try (var store = DatabaseLeaseStore.open(directory)) {
        var leases = Leases.open(store, LeasePolicy.open(range, QUOTA));
        assertThat(leases.tunnels()).containsExactlyInAnyOrderElementsOf(model.values());
        for (int step = 0; step < 10; step++) {
          var requests = new ArrayList<LeaseRequest>();
          for (int i = random.nextInt(4); i >= 0; i--) {
            var identity = id("t" + random.nextInt(25));
            if (random.nextInt(4) == 0) {
              leases.releaseAll(List.of(identity));
              model.remove(identity);
            }
            requests.add(request(identity, random.nextInt(1, 40), "r" + random.nextInt(2)));
          }
          for (LeaseResult result : leases.leaseAll(requests)) {
            if (result instanceof Granted(var tunnel, _)) {
              model.put(tunnel.identity(), tunnel);
            }
          }
        }
      }
    }
  }
}
