/// `penstock doctor` from the agent's side.
@NullMarked
package dev.penstock.agent.doctor;

import org.jspecify.annotations.NullMarked;
