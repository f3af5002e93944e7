using Myna.Host.User;

namespace Myna.Cpu.Engines;

/// <summary>What executes a virtual CPU's instructions. Called on the CPU's thread only.</summary>
public interface ICpuEngine
{
    /// <summary>"interp", "jit" or "kvm".</summary>
    string Name { get; }

    /// <summary>
    /// Whether <see cref="Run"/> returns when it comes to a breakpoint of its CPU, unless it begins there. Without that the CPU
    /// steps from instruction to instruction while there are any.
    /// </summary>
    bool StopsAtBreakpoints => false;

    /// <summary>
    /// Executes until <c>JitContext.ExitRequest</c> is not zero (seen between instructions, at the latest at the next block)
    /// or <c>JitContext.InstructionCount</c> has reached <paramref name="limit"/>.
    /// </summary>
    /// <param name="limit">Exact when the engine counts instructions; ulong.MaxValue means none.</param>
    void Run(ulong limit);

    /// <summary>Executes the one instruction at pc, traps included. Interrupts are not looked at.</summary>
    /// <returns>True when execution simply goes on behind the instruction.</returns>
    bool Step();

    /// <summary>Whether the host's processor executes guest code: then it looks after the guest's own debug registers, and instructions are not counted.</summary>
    bool IsNative => false;

    /// <summary>Whether <see cref="Run"/> also waits, now, where a CPU waits for interrupts or to be started, and takes the interrupts itself.</summary>
    bool WaitsForInterrupts => false;

    /// <summary><c>JitContext.ExitRequest</c> is not zero any more, for an engine that does not look at it. Any thread.</summary>
    void Kick()
    {
    }

    /// <summary>Of a user program's thread: given before it runs.</summary>
    SignalSlot? Slot
    {
        set { }
    }

    /// <summary>What the engine has done so far, for the monitor.</summary>
    IEnumerable<(string Name, ulong Value)> Counters { get; }
}
