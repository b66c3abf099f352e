package dev.penstock.testkit.bench.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.bench.process.ProcFiles.CpuTime;
import dev.penstock.testkit.bench.process.ProcFiles.Memory;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProcFilesTest {
  @Test
  void aProcessNameMayHoldSpacesAndParentheses() {
    assertThat(
            ProcFiles.ticks(
                "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 130 7 9 20 0 1 0 99 1 2 3\n"))
        .isEqualTo(380);
  }

  @Test
  void aProcessThatIsGoneHasUsedNothing() {
    assertThat(ProcFiles.ticks("")).isZero();
    assertThat(ProcFiles.parseMemory("")).isEqualTo(new Memory(0, 0));
  }

  @Test
  void memoryIsTheSumOfTheRollup() {
    assertThat(
            ProcFiles.parseMemory(
                """
                55d0c8a00000-7ffc9d5fe000 ---p 00000000 00:00 0    [rollup]
                Rss:                3564 kB
                Pss:                 812 kB
                Pss_Anon:            400 kB
                """))
        .isEqualTo(new Memory(3564, 812));
  }

  @Test
  void processesThatStartedInBetweenCountInFullAndThoseThatEndedNotAtAll() {
    var earlier = new CpuTime(Map.of(1L, 100L, 2L, 5_000L));
    var now = new CpuTime(Map.of(1L, 150L, 3L, 25L));
    assertThat(now.secondsSince(earlier)).isEqualTo(0.75);
  }

  @Test
  void thisProcessHasMemoryAndTime() {
    var self = ProcessHandle.current();
    assertThat(ProcFiles.memory(self).rss()).isPositive();
    assertThat(ProcFiles.cpuTime(self).secondsSince(CpuTime.NONE)).isPositive();
  }
}
