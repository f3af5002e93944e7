using System.Globalization;
using System.Text;

namespace Myna.Cpu;

/// <summary>
/// Two CPUs in equal machines, executing the same instructions: the subject by its engine, some blocks at a time, the
/// reference one by one. The subject sets the pace: between two stretches both look at interrupts, in a stretch neither does,
/// so that an interrupt is taken at the same instruction. Both run on the caller's thread.
/// </summary>
/// <param name="reference">Its <see cref="EmulatedCpu.Stepper"/> executes it.</param>
/// <param name="subject">Of the same class; its <see cref="EmulatedCpu.Engine"/> must count instructions.</param>
public sealed class Lockstep(EmulatedCpu reference, EmulatedCpu subject) : ILockstep
{
    /// <summary>Instructions of a stretch: enough for a translated block to be executed as a whole.</summary>
    private const int Stretch = 128;

    /// <summary>Stretches between two looks at the system registers; one gone wrong shows in others before long.</summary>
    private const int SystemInterval = 16;

    /// <summary>How often the reference may stop in one stretch without an instruction retired: faults, and parts of repeated ones.</summary>
    private const int MaxStops = 100_000;

    private readonly List<ulong> _path = [];
    private int _stretches;

    /// <inheritdoc/>
    public bool Waiting { get; private set; }

    /// <inheritdoc/>
    public ulong Instructions => reference.Block.Context.InstructionCount;

    /// <inheritdoc/>
    public string? Step()
    {
        // Without instructions to execute, Run only serves requests and interrupts.
        StopReason expected = reference.Run(0);
        StopReason actual = subject.Run(0);
        _path.Clear();
        if (expected != actual)
            return Report($"the reference is {expected}, the subject {actual}");
        Waiting = expected == StopReason.Waiting;
        if (expected != StopReason.InstructionLimit)
            return Compare(system: true);
        ulong count = subject.Block.Context.InstructionCount;
        if (subject.GuestSteps)
            subject.Step();
        else
            subject.Engine!.Run(count + Stretch);
        Follow();
        return Compare(++_stretches % SystemInterval == 0);
    }

    private void Follow()
    {
        ulong target = subject.Block.Context.InstructionCount;
        for (int stops = 0; stops < MaxStops;)
        {
            ulong count = reference.Block.Context.InstructionCount;
            // What faults does not count, nor do the parts of a repeated instruction: with the counts equal, one may still be to come.
            if (count > target || (count == target && reference.IsAtSamePoint(subject)))
                return;
            _path.Add(reference.Pc);
            if (reference.GuestSteps)
                reference.Step();
            else
                reference.Stepper!.Step();
            if (reference.Block.Context.InstructionCount == count)
                stops++;
            else if (count == target)
                return;
        }
    }

    private string? Compare(bool system)
    {
        if (reference.Pc != subject.Pc)
            return Report("pc");
        if (!reference.HasSameRegisters(subject))
            return Report("registers");
        if (reference.Block.Context.InstructionCount != subject.Block.Context.InstructionCount)
            return Report("instruction counts");
        return system && Differences() is { Length: > 0 } ? Report("system registers") : null;
    }

    private string Differences()
    {
        var text = new StringBuilder();
        Span<byte> expected = stackalloc byte[32], actual = stackalloc byte[32];
        foreach (CpuRegister register in reference.Registers)
        {
            Span<byte> mine = expected[..(register.Bits / 8)], theirs = actual[..(register.Bits / 8)];
            reference.TryReadRegister(register.Number, mine);
            subject.TryReadRegister(register.Number, theirs);
            if (mine.SequenceEqual(theirs))
                continue;
            mine.Reverse();
            theirs.Reverse();
            text.AppendLine(CultureInfo.InvariantCulture, $"  {register.Name,-12} {reference.Stepper?.Name} {Convert.ToHexStringLower(mine)}  {subject.Engine?.Name} {Convert.ToHexStringLower(theirs)}");
        }
        return text.ToString();
    }

    private string Report(string what)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"CPU {reference.Index} differs in {what} after {Instructions} instructions");
        text.AppendLine("the reference executed:");
        foreach (ulong pc in _path.TakeLast(2 * Stretch))
            text.AppendLine(CultureInfo.InvariantCulture, $"  {pc:x16}  {(reference.TryDisassemble(pc, out string instruction, out _) ? instruction : "?")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"now at {reference.Pc:x16}, the subject at {subject.Pc:x16}, having executed {Instructions} and {subject.Block.Context.InstructionCount}");
        text.Append(Differences());
        return text.ToString();
    }
}
