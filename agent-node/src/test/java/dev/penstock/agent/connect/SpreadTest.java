package dev.penstock.agent.connect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.connect.Spread.Step;
import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.GatewayNode;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

final class SpreadTest {
  private static final URI BALANCER = URI.create("ws://balancer/ws");

  /// How agents come to a node.
  enum Way {
    DIRECT,
    BALANCED_ONLY
  }

  /// Nodes behind a load balancer and one agent, with a clock of their own.
  private static final class World {
    final RandomGenerator random;
    final Way way;
    final Spread spread;
    final Set<String> alive = new LinkedHashSet<>();

    /// Nodes that are told of though nobody gets there.
    final Set<String> ghosts = new LinkedHashSet<>();

    final Map<Long, Spread.Target> dialling = new LinkedHashMap<>();
    final Map<Long, String> up = new LinkedHashMap<>();
    final Set<Long> retired = new HashSet<>();
    final Set<Long> drained = new HashSet<>();
    final List<Long> dialledAt = new ArrayList<>();
    long now;
    Duration refuseFor = Duration.ZERO;
    boolean refuse;
    int fewestUp;

    World(RandomGenerator random, Way way, int wanted, String... nodes) {
      this(random, way, "agent-" + random.nextInt(1000), wanted, nodes);
    }

    World(RandomGenerator random, Way way, String agent, int wanted, String... nodes) {
      this.random = random;
      this.way = way;
      this.now = random.nextLong();
      this.spread =
          new Spread(agent, wanted, List.of(BALANCER), _ -> true, Backoff.standard(), now);
      alive.addAll(List.of(nodes));
    }

    List<GatewayNode> told() {
      return Stream.concat(alive.stream(), ghosts.stream())
          .map(id -> new GatewayNode(id, way == Way.DIRECT ? "ws://" + id + "/ws" : ""))
          .toList();
    }

    /// Lets everything that is due happen for so long.
    void run(Duration length) {
      long end = now + length.toNanos();
      fewestUp = Integer.MAX_VALUE;
      while (true) {
        for (Step step : spread.steps(now, random)) {
          switch (step) {
            case Step.Dial(long link, var target) -> {
              dialling.put(link, target);
              dialledAt.add(now);
            }
            case Step.Retire(long link) -> retire(link);
            case Step.TellDrained(long link) -> drained.add(link);
          }
        }
        fewestUp = Math.min(fewestUp, serving().size());
        if (!dialling.isEmpty()) {
          now += Duration.ofMillis(1 + random.nextInt(20)).toNanos();
          answer(pick(dialling.keySet()));
        } else if (spread.dueAt() != null && spread.dueAt() - end <= 0) {
          now = Math.max(now, spread.dueAt());
        } else {
          now = Math.max(now, end);
          return;
        }
      }
    }

    private void retire(long link) {
      assertThat(serving().size())
          .as("a link that works is not given up before there is one for it")
          .isGreaterThan(spread.upCount() == 0 ? 0 : (int) spread.upCount() - 1);
      retired.add(link);
      up.remove(link);
      spread.lost(link, now, random);
    }

    private void answer(long link) {
      Spread.Target target = dialling.remove(link);
      String node = target.node().isEmpty() ? anyNode() : target.node();
      if (refuse || node == null || !alive.contains(node)) {
        spread.failed(link, refuse ? refuseFor : Duration.ZERO, now, random);
      } else {
        up.put(link, node);
        spread.nodes(told());
        spread.up(link, node, now, random);
      }
    }

    private String anyNode() {
      return alive.isEmpty() ? null : pick(alive);
    }

    <T> T pick(Collection<T> all) {
      return List.copyOf(all).get(random.nextInt(all.size()));
    }

    /// Links by which new streams come.
    List<String> serving() {
      return up.entrySet().stream()
          .filter(link -> !drained.contains(link.getKey()))
          .map(Map.Entry::getValue)
          .toList();
    }

    void kill(String node) {
      alive.remove(node);
      for (long link : List.copyOf(up.keySet())) {
        if (up.get(link).equals(node)) {
          up.remove(link);
          spread.lost(link, now, random);
        }
      }
    }

    void start(String node) {
      alive.add(node);
    }

    void tellNodes() {
      spread.nodes(told());
    }
  }

  private static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void linksAreSpreadOverDistinctNodes(Way way) {
    int spread = 0;
    for (int seed = 0; seed < 200; seed++) {
      var world = new World(Seeds.random(seed), way, 2, "a", "b", "c");
      world.run(Duration.ofMinutes(5));
      assertThat(world.serving()).hasSize(2);
      spread += new HashSet<>(world.serving()).size() == 2 ? 1 : 0;
    }
    // A balancer may give the same node six times in a row.
    assertThat(spread).isGreaterThanOrEqualTo(way == Way.DIRECT ? 200 : 195);
  }

  @Test
  void triesThroughABalancerAreBounded() {
    var world = new World(Seeds.random(1), Way.BALANCED_ONLY, 2, "a");
    world.run(Duration.ofSeconds(1));
    // The balancer knows of one node only, though there are two.
    world.ghosts.add("b");
    world.tellNodes();
    int before = world.dialledAt.size();
    for (int i = 0; i < 60; i++) {
      world.tellNodes();
      world.run(Duration.ofMinutes(1));
    }
    assertThat(world.serving()).containsExactly("a", "a");
    assertThat(world.dialledAt.size() - before).isBetween(1, Spread.MAX_SPARE_TRIES + 1);
  }

  @Test
  void oneNodeTakesAllLinks() {
    var world = new World(Seeds.random(2), Way.DIRECT, 3, "a");
    world.run(Duration.ofMinutes(10));
    assertThat(world.serving()).containsExactly("a", "a", "a");
    assertThat(world.dialledAt).hasSize(3);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aLostLinkIsBackOnAnotherNodeWithinASecond(long seed) {
    var world = new World(Seeds.random(seed), Way.DIRECT, 2, "a", "b", "c");
    world.run(Duration.ofMinutes(1));
    String lost = world.pick(world.serving());
    world.kill(lost);
    assertThat(world.serving()).hasSize(1);
    world.run(Duration.ofSeconds(1));
    assertThat(world.serving()).hasSize(2).doesNotContain(lost).doesNotHaveDuplicates();
  }

  /// However long it was up: it is no outage that began with the agent.
  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aLinkThatIsLostSoonAfterItCameUpIsBackWithinASecond(long seed) {
    var world = new World(Seeds.random(seed), Way.DIRECT, 2, "a", "b", "c");
    // On two nodes by then; the spare that may have taken a place of late as well.
    world.run(Duration.ofMillis(3000 + world.random.nextInt(1900)));
    String lost = world.pick(world.serving());
    world.kill(lost);
    world.run(Duration.ofSeconds(1));
    assertThat(world.serving()).hasSize(2).doesNotContain(lost);
  }

  @Test
  void aGatewayThatEndsEachLinkAtOnceIsDialledEverMoreRarely() {
    var world = new World(Seeds.random(6), Way.DIRECT, 1, "a");
    for (int i = 0; i < 10_000 && world.dialledAt.size() < 25; i++) {
      world.run(Duration.ofMillis(50));
      world.kill("a");
      world.start("a");
    }
    List<Long> at = world.dialledAt;
    long before = at.get(8) - at.getFirst();
    long after = at.get(24) - at.get(16);
    assertThat(after).isGreaterThan(3 * before);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aDrainedNodeIsLeftOnceThereIsALinkElsewhere(long seed) {
    var world = new World(Seeds.random(seed), Way.DIRECT, 2, "a", "b", "c");
    world.run(Duration.ofMinutes(1));
    long link = world.pick(world.up.keySet());
    String node = world.up.get(link);
    world.spread.drain(link, world.now, world.random);
    world.run(Duration.ofSeconds(2));
    assertThat(world.drained).containsExactly(link);
    assertThat(world.serving()).hasSize(2).doesNotContain(node).doesNotHaveDuplicates();
    assertThat(world.fewestUp).as("nothing was closed before").isGreaterThanOrEqualTo(2);
  }

  @Test
  void anAgentWithNowhereElseToGoKeepsItsLink() {
    var world = new World(Seeds.random(3), Way.DIRECT, 1, "a");
    world.run(Duration.ofMinutes(1));
    world.refuse = true;
    world.refuseFor = Duration.ofSeconds(1);
    world.spread.drain(world.up.keySet().iterator().next(), world.now, world.random);
    world.run(Duration.ofSeconds(30));
    assertThat(world.up).hasSize(1);
    assertThat(world.drained).isEmpty();
    assertThat(world.retired).isEmpty();
  }

  @Test
  void aNodeThatJoinsIsLinkedByItsShareOfTheAgentsAndByNoOther() {
    var perNode = new TreeMap<String, Integer>();
    int moved = 0;
    for (int agent = 0; agent < 600; agent++) {
      var world = new World(Seeds.random(agent), Way.DIRECT, "agent-" + agent, 2, "a", "b", "c");
      world.run(Duration.ofMinutes(5));
      List<String> before = world.serving();
      world.start("d");
      world.tellNodes();
      world.run(Duration.ofMinutes(5));
      assertThat(world.serving()).hasSize(2).doesNotHaveDuplicates();
      moved += new HashSet<>(before).equals(new HashSet<>(world.serving())) ? 0 : 1;
      world.serving().forEach(node -> perNode.merge(node, 1, Integer::sum));
    }
    assertThat(moved).isBetween(250, 350);
    assertThat(perNode.values()).allSatisfy(links -> assertThat(links).isBetween(230, 370));
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aGatewayThatAsksToBeLeftAloneIsLeftAlone(long seed) {
    var world = new World(Seeds.random(seed), Way.BALANCED_ONLY, 2, "a");
    world.refuse = true;
    world.refuseFor = Duration.ofSeconds(20);
    world.run(Duration.ofMinutes(1));
    for (int i = 2; i < world.dialledAt.size(); i++) {
      assertThat(world.dialledAt.get(i) - world.dialledAt.get(0))
          .isGreaterThanOrEqualTo(Duration.ofSeconds(20).toNanos());
    }
    assertThat(world.dialledAt.size()).isBetween(4, 8);
  }

  @Test
  void aGatewayThatAsksForTooMuchIsAskedAgainWithinTwoMinutes() {
    var world = new World(Seeds.random(5), Way.BALANCED_ONLY, 1, "a");
    world.refuse = true;
    world.refuseFor = Duration.ofDays(1);
    world.run(Duration.ofSeconds(1));
    world.refuse = false;
    world.run(Duration.ofMinutes(2));
    assertThat(world.serving()).containsExactly("a");
  }

  @Test
  void agentsThatLostTheirOnlyGatewayDoNotReturnTogether() {
    var firsts = new HashMap<Long, Integer>();
    for (int seed = 0; seed < 500; seed++) {
      var world = new World(Seeds.random(seed), Way.BALANCED_ONLY, 1, "a");
      world.run(Duration.ofMinutes(1));
      world.kill("a");
      world.start("a");
      long lost = world.now;
      int before = world.dialledAt.size();
      world.run(Duration.ofSeconds(2));
      firsts.merge((world.dialledAt.get(before) - lost) / 10_000_000, 1, Integer::sum);
    }
    assertThat(firsts.size()).isGreaterThanOrEqualTo(9);
  }

  /// Random joins, deaths, drains and refusals; then peace, in which all must come right.
  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void afterAnyTroubleTheLinksComeRight(long seed) {
    RandomGenerator random = Seeds.random(seed);
    int wanted = 1 + random.nextInt(4);
    var world = new World(random, Way.DIRECT, wanted, "a", "b", "c");
    for (int i = 0; i < 60; i++) {
      String node = "abcdef".charAt(random.nextInt(6)) + "";
      switch (random.nextInt(5)) {
        case 0 -> world.kill(node);
        case 1 -> world.start(node);
        case 2 -> {
          if (!world.up.isEmpty()) {
            world.spread.drain(world.pick(world.up.keySet()), world.now, random);
          }
        }
        case 3 -> world.refuse = random.nextInt(3) == 0;
        default -> world.refuseFor = Duration.ofSeconds(random.nextInt(5));
      }
      world.tellNodes();
      world.run(Duration.ofMillis(random.nextInt(3000)));
      assertThat(world.spread.upCount() + world.dialling.size()).isLessThanOrEqualTo(wanted + 1);
    }
    world.refuse = false;
    world.start("a");
    world.start("b");
    world.tellNodes();
    world.run(Duration.ofMinutes(20));
    // What was asked to drain has been answered, and the gateway closes it.
    for (long link : world.drained) {
      world.up.remove(link);
      world.spread.lost(link, world.now, random);
    }
    world.run(Duration.ofMinutes(20));
    assertThat(world.serving()).hasSize(wanted);
    assertThat(new HashSet<>(world.serving())).hasSize(Math.min(wanted, world.alive.size()));
  }
}
