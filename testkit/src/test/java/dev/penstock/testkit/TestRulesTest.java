package dev.penstock.testkit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.time.Duration;

/// Rules for everything on the test class path, tests included.
@AnalyzeClasses(packages = "dev.penstock")
class TestRulesTest {
  @ArchTest
  static final ArchRule NOBODY_SLEEPS =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.penstock.testkit.bench..")
          .should()
          .callMethod(Thread.class, "sleep", long.class)
          .orShould()
          .callMethod(Thread.class, "sleep", long.class, int.class)
          .orShould()
          .callMethod(Thread.class, "sleep", Duration.class)
          .because(
              "a wait for a fixed time is too long or too short; wait for the sign. Only the"
                  + " benchmark lets time pass: windows of time are what it measures");
}
