/// Processes of the machine: started and ended here, their CPU time and memory read from `/proc`.
@NullMarked
package dev.penstock.testkit.bench.process;

import org.jspecify.annotations.NullMarked;
