package dev.penstock.live;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class LiveStreamsTest {
  private static final LiveStream.Facts FACTS = new LiveStream.Facts("192.0.2.7:1", "link", null);

  private final LiveStreams streams = new LiveStreams("node", LiveStreams.Direction.CLIENT_TO_PEER);

  @Test
  void aStreamIsThereUntilItEndsAndEndsOnce() {
    LiveStream one = streams.streamOpened("c", "t", FACTS, () -> {});
    LiveStream two = streams.sessionOpened("c", "t", FACTS, () -> {});
    assertThat(one.id()).isNotEqualTo(two.id()).matches("[A-Za-z0-9-]+");
    assertThat(streams.stream(one.id())).contains(one);
    assertThat(streams.session(one.id())).isEmpty();
    assertThat(streams.tunnel("c", "t").open()).isEqualTo(2);
    streams.streamEnded(one);
    streams.streamEnded(one);
    streams.sessionEnded(two);
    assertThat(streams.tunnel("c", "t").open()).isZero();
    assertThat(streams.tunnel("c", "t").openedCount()).isEqualTo(2);
    assertThat(streams.streams()).isEmpty();
  }

  @Test
  void anIdOfATunnelIsItsOwnAndTheSameOnEveryNode() {
    assertThat(TunnelTotals.idOf("a", "b/c:d"))
        .isEqualTo(new TunnelTotals("a", "b/c:d").id())
        .matches("[0-9a-f]{16}")
        .isNotEqualTo(TunnelTotals.idOf("a", "b/c"))
        .isNotEqualTo(TunnelTotals.idOf("ab", "/c:d"));
  }

  @Test
  void whatStrangersCauseDoesNotWashOutTheRest() {
    var log = new EventLog("node");
    log.add("link_up", Map.of("link_id", "1"));
    for (int i = 0; i < 5 * EventLog.SIZE; i++) {
      log.addPaced("client_refused", "source_banned", Map.of("address", "192.0.2." + i % 200));
    }
    log.addPaced("client_refused", "no_link", Map.of());
    assertThat(log.count()).isEqualTo(2 + EventLog.PER_MINUTE);
    assertThat(log.latest().getFirst().facts()).isEqualTo(Map.of("reason", "no_link"));
    assertThat(log.latest().getLast().kind()).isEqualTo("link_up");
  }

  @Test
  void onlyTheLastEventsAreKeptTheLatestFirst() {
    var log = new EventLog("node");
    for (int i = 0; i < 2 * EventLog.SIZE + 7; i++) {
      log.add("action", Map.of("detail", Integer.toString(i)));
    }
    assertThat(log.latest()).hasSize(EventLog.SIZE);
    assertThat(log.latest().getFirst().facts().get("detail"))
        .isEqualTo(Integer.toString(2 * EventLog.SIZE + 6));
    assertThat(log.latest().stream().map(EventLog.Event::id)).doesNotHaveDuplicates();
  }
}
