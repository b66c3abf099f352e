package dev.penstock.testkit.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class SummaryTest {
  @Test
  void theMedianOfAnOddCountIsTheValueInTheMiddle() {
    assertThat(Summary.of(List.of(9.0, 1.0, 4.0))).isEqualTo(new Summary(4, 1, 9, 3));
  }

  @Test
  void theMedianOfAnEvenCountIsTheMeanOfTheTwoInTheMiddle() {
    assertThat(Summary.of(List.of(8.0, 2.0, 4.0, 1.0)).median()).isEqualTo(3);
  }

  @Test
  void nothingHasNoSummary() {
    assertThatThrownBy(() -> Summary.of(List.of())).hasMessage("values: 0 (expected: at least 1)");
  }

  @Test
  void aSingleRoundIsPrintedWithoutRange() {
    assertThat(Summary.of(List.of(4.0))).hasToString("4.00");
    assertThat(Summary.of(List.of(4.0, 5.0))).hasToString("4.50 (4.00-5.00)");
  }

  @Test
  void numbersKeepThreeDigits() {
    assertThat(List.of(0.123, 9.994, 9.996, 99.94, 99.96, 47_012.4))
        .extracting(Summary::number)
        .containsExactly("0.12", "9.99", "10.0", "99.9", "100", "47012");
  }
}
