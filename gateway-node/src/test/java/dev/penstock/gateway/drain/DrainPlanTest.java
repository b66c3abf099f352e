package dev.penstock.gateway.drain;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.gateway.drain.DrainPlan.Phase;
import dev.penstock.gateway.drain.DrainPlan.Step;
import dev.penstock.protocol.Seeds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class DrainPlanTest {
  private static final Duration GRACE = Duration.ofSeconds(60);

  /// The clock's origin means nothing, so it is an odd one.
  private long now = Long.MAX_VALUE - Duration.ofSeconds(20).toNanos();

  private static DrainPlan plan(Duration pause) {
    return new DrainPlan(new DrainSettings(GRACE, pause, Duration.ofSeconds(5)));
  }

  private void wait(Duration length) {
    now += length.toNanos();
  }

  @Test
  void aNodeThatNobodyUsesEndsAtOnce() {
    var plan = plan(Duration.ZERO);
    assertThat(plan.begin(now)).containsExactly(Step.REFUSE_LINKS, Step.MOVE_AGENTS);
    plan.agentsMoved();
    assertThat(plan.look(now, 0)).containsExactly(Step.CLOSE_LISTENERS, Step.HAND_OVER);
    plan.handedOver();
    assertThat(plan.look(now, 0)).containsExactly(Step.END);
    assertThat(plan.look(now, 0)).isEmpty();
  }

  @Test
  void clientsAreTakenUntilAgentsHaveLinksElsewhere() {
    var plan = plan(Duration.ZERO);
    plan.begin(now);
    wait(DrainPlan.LINK_PATIENCE.minusMillis(1));
    assertThat(plan.look(now, 3)).isEmpty();
    plan.agentsMoved();
    assertThat(plan.look(now, 3)).containsExactly(Step.CLOSE_LISTENERS, Step.HAND_OVER);
  }

  @Test
  void anAgentThatNeverMovesHoldsUpNobody() {
    var plan = plan(Duration.ZERO);
    plan.begin(now);
    wait(DrainPlan.LINK_PATIENCE);
    assertThat(plan.look(now, 3)).containsExactly(Step.CLOSE_LISTENERS, Step.HAND_OVER);
  }

  @Test
  void clientsAreTakenUntilBalancersHaveHadTimeToLook() {
    var plan = plan(Duration.ofSeconds(10));
    plan.begin(now);
    plan.agentsMoved();
    wait(Duration.ofMillis(9_999));
    assertThat(plan.look(now, 0)).isEmpty();
    wait(Duration.ofMillis(1));
    assertThat(plan.look(now, 0)).containsExactly(Step.CLOSE_LISTENERS, Step.HAND_OVER);
  }

  @Test
  void whatRunsEndsByItselfOrWithTheGraceTime() {
    var plan = plan(Duration.ZERO);
    plan.begin(now);
    plan.agentsMoved();
    plan.look(now, 2);
    plan.handedOver();
    assertThat(plan.look(now, 2)).isEmpty();
    assertThat(plan.reason(2)).isEqualTo("draining: 2 connections run out");
    wait(GRACE.minusMillis(1));
    assertThat(plan.look(now, 1)).isEmpty();
    wait(Duration.ofMillis(1));
    assertThat(plan.look(now, 1)).containsExactly(Step.END);
  }

  @Test
  void aClusterThatDoesNotAnswerDelaysTheEndForAWhileOnly() {
    var plan = plan(Duration.ZERO);
    plan.begin(now);
    plan.agentsMoved();
    plan.look(now, 0);
    wait(DrainPlan.HAND_OVER_PATIENCE.minusMillis(1));
    assertThat(plan.look(now, 0)).isEmpty();
    wait(Duration.ofMillis(1));
    assertThat(plan.look(now, 0)).containsExactly(Step.END);
  }

  @Test
  void beginningAgainIsNothingNew() {
    var plan = plan(Duration.ZERO);
    assertThat(plan.reason(0)).isEmpty();
    plan.begin(now);
    assertThat(plan.begin(now)).isEmpty();
    assertThat(plan.reason(0)).startsWith("draining: ");
  }

  private static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whateverComesTheStepsComeOnceAndInOrderAndTheEndIsBounded(long seed) {
    RandomGenerator random = Seeds.random(seed);
    var pause = Duration.ofSeconds(random.nextInt(20));
    var plan = plan(pause);
    long begun = now;
    List<Step> steps = new ArrayList<>(plan.begin(now));
    while (plan.phase() != Phase.OVER) {
      wait(Duration.ofMillis(random.nextInt(1, 500)));
      if (random.nextInt(30) == 0) {
        plan.agentsMoved();
      }
      if (steps.contains(Step.HAND_OVER) && random.nextInt(30) == 0) {
        plan.handedOver();
      }
      steps.addAll(plan.look(now, random.nextInt(50)));
    }
    assertThat(steps).containsExactly(Step.values());
    assertThat(Duration.ofNanos(now - begun))
        .isLessThan(pause.plus(DrainPlan.LINK_PATIENCE).plus(GRACE).plus(Duration.ofSeconds(1)));
  }
}
