using System.Globalization;
using System.Text;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.RiscV;

/// <summary>
/// Two harts in equal machines, executing the same instructions: the subject by its engine, some blocks at a time, the
/// reference one by one. The subject sets the pace: between two stretches both look at interrupts, in a stretch neither does,
/// so that an interrupt is taken at the same instruction. Both harts run on the caller's thread.
/// </summary>
/// <param name="reference">Its <see cref="Hart.Stepper"/> executes it.</param>
/// <param name="subject">Its <see cref="Hart.Engine"/> must count instructions.</param>
public sealed class Lockstep(Hart reference, Hart subject) : ILockstep
{
    /// <summary>Instructions of a stretch: enough for a translated block to be executed as a whole.</summary>
    private const int Stretch = 128;

    /// <summary>Stretches between two looks at the CSRs; a CSR gone wrong shows in other registers before long.</summary>
    private const int CsrInterval = 16;

    /// <summary>How often the reference may trap in one stretch beyond what the subject's count accounts for.</summary>
    private const int MaxTraps = 1000;

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
        if (expected != StopReason.InstructionLimit)
        {
            Waiting = expected == StopReason.Waiting;
            return Compare(csrs: true);
        }
        Waiting = false;
        ulong count = subject.Block.Context.InstructionCount;
        subject.Engine!.Run(count + Stretch);
        Follow();
        return Compare(++_stretches % CsrInterval == 0);
    }

    /// <summary>Compares everything that software can read, where the harts stand.</summary>
    public string? Check() => Compare(csrs: true);

    private void Follow()
    {
        ulong target = subject.Block.Context.InstructionCount;
        int traps = 0;
        while (traps < MaxTraps)
        {
            ulong count = reference.Block.Context.InstructionCount;
            // A trap is not counted: with the counts equal, one may still be to come.
            if (count >= target && (count > target || reference.Pc == subject.Pc))
                return;
            ulong pc = reference.Pc;
            _path.Add(pc);
            reference.Stepper!.Step();
            if (reference.Block.Context.InstructionCount == count)
                traps++;
            else if (count == target)
                return;
        }
    }

    private string? Compare(bool csrs)
    {
        if (reference.Pc != subject.Pc)
            return Report("pc");
        ReadOnlySpan<ulong> x = reference.Registers64.X, f = reference.Registers64.F;
        if (!x.SequenceEqual(subject.Registers64.X) || !f.SequenceEqual(subject.Registers64.F))
            return Report("registers");
        if (reference.Block.Context.InstructionCount != subject.Block.Context.InstructionCount)
            return Report("instruction counts");
        return csrs && Differences() is { Length: > 0 } ? Report("CSRs") : null;
    }

    private string Differences()
    {
        var text = new StringBuilder();
        foreach (CpuRegister register in reference.Registers)
        {
            reference.TryReadRegister(register.Number, out ulong expected);
            subject.TryReadRegister(register.Number, out ulong actual);
            if (expected != actual)
                text.AppendLine(CultureInfo.InvariantCulture, $"  {register.Name,-12} {reference.Stepper?.Name} {expected:x16}  {subject.Engine?.Name} {actual:x16}");
        }
        return text.ToString();
    }

    private string Report(string what)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"hart {reference.Index} differs in {what} after {reference.Block.Context.InstructionCount} instructions");
        text.AppendLine("the reference executed:");
        Span<byte> bytes = stackalloc byte[4];
        foreach (ulong pc in _path)
        {
            bytes.Clear();
            if (!reference.ReadMemory(pc, bytes))
                reference.ReadMemory(pc, bytes[..2]);
            text.AppendLine(CultureInfo.InvariantCulture, $"  {pc:x16}  {Disassembler.Format(BitConverter.ToUInt32(bytes), pc)}");
        }
        text.AppendLine(CultureInfo.InvariantCulture, $"now at {reference.Pc:x16}, the subject at {subject.Pc:x16}, having executed {reference.Block.Context.InstructionCount} and {subject.Block.Context.InstructionCount}");
        text.Append(Differences());
        return text.ToString();
    }
}
