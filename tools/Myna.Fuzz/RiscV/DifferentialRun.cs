using System.Globalization;
using System.Text;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Fuzz.RiscV;

/// <summary>Runs programs on two engines and, when they part, finds the shortest way to it.</summary>
internal sealed class DifferentialRun(string reference, string subject, bool counted) : IComparison
{
    private readonly Rig _reference = new(reference);
    private readonly Rig _subject = new(subject);

    /// <summary>Instructions executed so far, on each engine.</summary>
    public ulong Instructions { get; private set; }

    /// <summary>Programs that differed after they wrote over their code without FENCE.I, or that trap without end.</summary>
    public ulong Undecided { get; private set; }

    /// <summary>Runs the program with this number.</summary>
    /// <returns>A report of the difference, or null.</returns>
    public string? Run(ulong seed)
    {
        TestProgram program = new ProgramGenerator(seed, counted).Generate();
        bool same = Same(program, program.Limit, out _);
        Instructions += _reference.Hart.Block.Context.InstructionCount;
        if (same)
            return null;
        if (_reference.TimedOut || _reference.CodeChanged(program) || _subject.CodeChanged(program))
        {
            Undecided++;
            return null;
        }
        return Report(Minimise(program));
    }

    /// <summary>Runs the program with this number on the reference alone and prints what it executes.</summary>
    public void Trace(ulong seed, TextWriter output)
    {
        TestProgram program = new ProgramGenerator(seed, counted).Generate();
        _reference.Trace(output);
        _reference.Load(program);
        _reference.RunTo(program, program.Limit);
    }

    private bool Same(TestProgram program, ulong count, out List<string> differences)
    {
        _reference.Load(program);
        _subject.Load(program);
        if (!program.Counted)
        {
            differences = [];
            _reference.RunTo(program, program.Limit);
            // One that goes on for ever cannot be compared: the subject stops at the end only.
            if (!_reference.Finished)
                return true;
            if (!_subject.RunToEnd())
                differences.Add($"{_subject.Engine} does not come to the end");
            differences.AddRange(_reference.Compare(_subject));
            return differences.Count == 0;
        }
        bool first = _reference.RunTo(program, count);
        bool second = _subject.RunTo(program, count);
        differences = _reference.Compare(_subject);
        if (first != second)
            differences.Add($"{(first ? _subject.Engine : _reference.Engine)} waits for an interrupt");
        return differences.Count == 0;
    }

    /// <summary>Nops instead of instructions, as long as there is still a difference.</summary>
    private TestProgram Minimise(TestProgram program)
    {
        for (int size = program.Items.Count; size >= 1; size /= 2)
        {
            for (int at = 0; at < program.Items.Count; at += size)
            {
                var items = new List<Item>(program.Items);
                bool changed = false;
                for (int i = at; i < Math.Min(at + size, items.Count); i++)
                {
                    Item nop = new(items[i].Length == 2 ? new Fields(Opcode.CNop, 2, 0) : new Fields(Opcode.Addi, 4, 0));
                    changed |= items[i] != nop;
                    items[i] = nop;
                }
                TestProgram candidate = program.With(items);
                if (changed && !Same(candidate, candidate.Limit, out _) && !_reference.CodeChanged(candidate))
                    program = candidate;
            }
        }
        return program;
    }

    /// <summary>The smallest count of instructions after which there is a difference.</summary>
    private ulong FirstDifference(TestProgram program)
    {
        ulong low = 0, high = program.Limit;
        while (high - low > 1)
        {
            ulong middle = (low + high) / 2;
            if (Same(program, middle, out _))
                low = middle;
            else
                high = middle;
        }
        return high;
    }

    private string Report(TestProgram program)
    {
        var text = new StringBuilder();
        // Without counting there is only the end to look at: the state before it is that of the first instruction.
        ulong count = program.Counted ? FirstDifference(program) : 0;
        if (program.Counted)
            Same(program, count - 1, out _);
        else
            RunPrologue(program);
        ulong pc = _reference.Hart.Pc;
        text.AppendLine(CultureInfo.InvariantCulture, $"seed {program.Seed}{(program.Counted ? "" : ", not counted")}, {program.Environment}, after {count} instructions, at pc {pc:x}:");
        int[] addresses = program.Addresses();
        for (int i = 0; i < program.Items.Count; i++)
        {
            uint raw = program.Encode(i, addresses);
            Fields f = InstructionTable.Decode(raw);
            if (raw == 0x13 || f.Op == Opcode.CNop)
                continue;
            ulong address = Layout.Base + (ulong)addresses[i];
            text.AppendLine(CultureInfo.InvariantCulture, $"{(address == pc ? "> " : "  ")}{address:x}  {raw:x8}  {Disassembler.Format(in f, address)}");
        }
        text.AppendLine("before:");
        for (int i = 0; i < 32; i++)
            text.Append(CultureInfo.InvariantCulture, $"  x{i} {_reference.Hart.Registers64.X[i]:x16}  f{i} {_reference.Hart.Registers64.F[i]:x16}").Append(i % 2 == 1 ? "\n" : "");
        Same(program, count, out List<string> differences);
        text.AppendLine("differences:");
        foreach (string difference in differences)
            text.AppendLine($"  {difference}");
        return text.ToString();
    }

    private void RunPrologue(TestProgram program)
    {
        _reference.Load(program);
        _reference.RunTo(program, (ulong)Firmware.PrologueLength);
    }

    public void Dispose()
    {
        _reference.Dispose();
        _subject.Dispose();
    }
}
