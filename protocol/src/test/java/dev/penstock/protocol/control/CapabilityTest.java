package dev.penstock.protocol.control;

import static dev.penstock.protocol.control.Capability.CALLER_ADDRESS;
import static dev.penstock.protocol.control.Capability.CREDITS;
import static dev.penstock.protocol.control.Capability.DIAL_STATUS;
import static dev.penstock.protocol.control.Capability.DRAIN;
import static dev.penstock.protocol.control.Capability.UDP_FRAMES;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class CapabilityTest {
  @Test
  void allHaveTheirNamesOnTheWire() {
    assertThat(Capability.format(EnumSet.allOf(Capability.class)))
        .isEqualTo(
            "udp-frames,dial-status,caller-address,drain,credits,nodes,canary,trace-context");
    assertThat(
            Capability.parse(
                "udp-frames,dial-status,caller-address,drain,credits,nodes,canary,trace-context"))
        .containsExactly(
            UDP_FRAMES,
            DIAL_STATUS,
            CALLER_ADDRESS,
            DRAIN,
            CREDITS,
            Capability.NODES,
            Capability.CANARY,
            Capability.TRACE_CONTEXT);
  }

  @Test
  void aListIsReadLeniently() {
    assertThat(Capability.parse(null)).isEmpty();
    assertThat(Capability.parse("")).isEmpty();
    assertThat(Capability.parse(",, drain ,teleport,drain,DRAIN")).containsExactly(DRAIN);
  }

  @Test
  void onlyWhatBothNamedIsCommon() {
    assertThat(Capability.common(Set.of(DRAIN, CREDITS), Set.of(CREDITS, UDP_FRAMES)))
        .containsExactly(CREDITS);
    assertThat(Capability.common(Set.of(), Set.of(CREDITS))).isEmpty();
  }
}
