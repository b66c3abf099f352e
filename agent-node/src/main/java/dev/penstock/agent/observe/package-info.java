/// What operators see of an agent.
@NullMarked
package dev.penstock.agent.observe;

import org.jspecify.annotations.NullMarked;
