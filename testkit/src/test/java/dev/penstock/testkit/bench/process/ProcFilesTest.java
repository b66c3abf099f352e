package dev.penstock.testkit.bench.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.bench.process.ProcFiles.CpuTime;
import dev.penstock.testkit.bench.process.ProcFiles.Memory;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProcFilesTest {
  private static final String STAT =
      "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 130 7 9 20 0 %d 0 99 1 2 3\n";

  @Test
  void aProcessNameMayHoldSpacesAndParentheses() {
    assertThat(ProcFiles.nanos(STAT.formatted(8), "")).isEqualTo(3_800_000_000L);
  }

  @Test
  void theExactTimeIsTakenForProcessesWithOneThreadOnly() {
    assertThat(ProcFiles.nanos(STAT.formatted(1), "3804321000 77 5\n")).isEqualTo(3_804_321_000L);
    assertThat(ProcFiles.nanos(STAT.formatted(2), "1904321000 77 5\n")).isEqualTo(3_800_000_000L);
    assertThat(ProcFiles.nanos(STAT.formatted(1), "")).isEqualTo(3_800_000_000L);
  }

  @Test
  void aProcessThatIsGoneHasUsedNothing() {
    assertThat(ProcFiles.nanos("", "")).isZero();
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
    var earlier = new CpuTime(Map.of(1L, 1_000_000_000L, 2L, 50_000_000_000L));
    var now = new CpuTime(Map.of(1L, 1_500_000_000L, 3L, 250_000_000L));
    assertThat(now.secondsSince(earlier)).isEqualTo(0.75);
  }

  @Test
  void thisProcessHasMemoryAndTime() {
    var self = ProcessHandle.current();
    assertThat(ProcFiles.memory(self).rss()).isPositive();
    assertThat(ProcFiles.cpuTime(self).secondsSince(CpuTime.NONE)).isPositive();
  }
}
