using Myna.Cpu;
using Myna.Cpu.Engines;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Fuzz.RiscV;

/// <summary>A hart with 64 KiB of RAM, driven by one engine.</summary>
internal sealed class Rig : IDisposable
{
    private readonly Ram _ram = new("fuzz", Layout.RamSize);
    private readonly byte[] _image = new byte[Layout.RamSize];
    private bool _counted;
    private readonly IReadOnlyList<CpuRegister> _compared;
    private readonly IDisposable? _translator;
    private readonly Timer _watchdog;

    public Rig(string engine)
    {
        Engine = engine;
        _watchdog = new Timer(_ =>
        {
            TimedOut = true;
            Hart!.Kick();
        });
        var memory = new AddressSpace();
        memory.Map(Layout.Base, _ram);
        memory.Map(Layout.Finisher, Layout.PageSize, "finisher", new Finisher(this));
        Hart = new Hart(new HartOptions { Memory = memory, Clock = new ManualClock(), ResetVector = Layout.Base }) { BlocksWhileWaiting = false };
        _translator = Engines.Attach(Hart, memory, engine);
        _compared = Hart.Registers;
        Span<byte> firmware = _ram.GetForWrite(Layout.Firmware, Layout.PageSize);
        for (int i = 0; i < Firmware.Code.Length; i++)
            BitConverter.TryWriteBytes(firmware[(i * 4)..], Firmware.Code[i]);
    }

    public string Engine { get; }

    public Hart Hart { get; }

    public ReadOnlySpan<byte> Memory => _ram.Get(0, Layout.RamSize);

    /// <summary>Power-on state with a program in memory.</summary>
    public void Load(TestProgram program)
    {
        program.Build(_image);
        _image.AsSpan(Layout.Code).CopyTo(_ram.GetForWrite(Layout.Code, Layout.RamSize - Layout.Code));
        Finished = TimedOut = false;
        _counted = program.Counted;
        Hart.SetLevel(3, false);
        Hart.Reset();
    }

    /// <summary>Runs until the program's end, without a limit that the engine would have to count for.</summary>
    /// <returns>False when it waits, or did not get there in time.</returns>
    public bool RunToEnd()
    {
        Run(ulong.MaxValue);
        return Finished;
    }

    // The watchdog is for engines gone wrong, and for traps into traps without end, which count as no instruction.
    private StopReason Run(ulong count)
    {
        _watchdog.Change(2000, Timeout.Infinite);
        StopReason reason = Hart.Run(count);
        _watchdog.Change(Timeout.Infinite, Timeout.Infinite);
        return reason;
    }

    /// <summary>Whether the program got to its end.</summary>
    public bool Finished { get; private set; }

    /// <summary>Whether the watchdog stopped the program.</summary>
    public bool TimedOut { get; private set; }

    private sealed class Finisher(Rig rig) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            return false;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            rig.Finished = true;
            if (!rig._counted)
                rig.Hart.Kick();
            return true;
        }
    }

    /// <summary>Runs until so many instructions have been executed since the program was loaded.</summary>
    /// <returns>Whether it got there: false when the hart waits for interrupts.</returns>
    public bool RunTo(TestProgram program, ulong count)
    {
        ulong done = Hart.Block.Context.InstructionCount;
        if (program.InterruptAfter > done && program.InterruptAfter <= count)
        {
            if (Run(program.InterruptAfter - done) != StopReason.InstructionLimit)
                return false;
            Hart.SetLevel(3, true);
            done = Hart.Block.Context.InstructionCount;
        }
        return done >= count || Run(count - done) == StopReason.InstructionLimit;
    }

    /// <summary>
    /// Whether code was written behind the program's back: an engine may then execute the old or the new instructions
    /// until FENCE.I, and a difference proves nothing.
    /// </summary>
    public bool CodeChanged(TestProgram program)
    {
        program.Build(_image);
        int[] addresses = program.Addresses();
        foreach (Item item in program.Items)
        {
            // What the program changes in due form.
            if (item.Origin >= 0 && item.Fields.Op == Opcode.Sw)
                Memory.Slice(addresses[item.Target], 4).CopyTo(_image.AsSpan(addresses[item.Target]));
        }
        return !Memory[Layout.Code..Layout.NotExecutable].SequenceEqual(_image.AsSpan(Layout.Code..Layout.NotExecutable));
    }

    /// <summary>Prints every instruction before it is executed.</summary>
    public void Trace(TextWriter output) => Hart.Tracer = cpu =>
    {
        ulong pc = cpu.Pc;
        bool readable = pc - Layout.Base <= Layout.RamSize - 4;
        uint raw = readable ? BitConverter.ToUInt32(Memory[(int)(pc - Layout.Base)..]) : 0;
        output.WriteLine($"{Hart.Block.Context.InstructionCount,6} {Hart.Privilege,-10} {pc:x16}  {(readable ? Disassembler.Format(raw, pc) : "?")}");
    };

    /// <summary>What differs between two rigs, a line for each.</summary>
    public List<string> Compare(Rig other)
    {
        var differences = new List<string>();
        foreach (CpuRegister register in _compared)
        {
            Hart.TryReadRegister(register.Number, out ulong mine);
            other.Hart.TryReadRegister(register.Number, out ulong theirs);
            if (mine != theirs)
                differences.Add($"{register.Name}: {Engine} {mine:x16}, {other.Engine} {theirs:x16}");
        }
        if (_counted && Hart.Block.Context.InstructionCount != other.Hart.Block.Context.InstructionCount)
            differences.Add($"instructions: {Engine} {Hart.Block.Context.InstructionCount}, {other.Engine} {other.Hart.Block.Context.InstructionCount}");
        if (!Memory.SequenceEqual(other.Memory))
        {
            int at = Memory.CommonPrefixLength(other.Memory) & ~7;
            differences.Add($"memory at {Layout.Base + (ulong)at:x}: {Engine} {BitConverter.ToUInt64(Memory[at..]):x16}, {other.Engine} {BitConverter.ToUInt64(other.Memory[at..]):x16}");
        }
        return differences;
    }

    public void Dispose()
    {
        _watchdog.Dispose();
        Hart.Dispose();
        _translator?.Dispose();
        _ram.Dispose();
    }
}
