using System.Globalization;
using System.Runtime.Intrinsics;
using System.Text;
using Iced.Intel;
using Decoder = Iced.Intel.Decoder;
using Myna.Cpu.X86.Decoding;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>What debuggers and the monitor see. Numbers and feature names are gdb's (gdb manual, "i386 Features").</summary>
public sealed partial class X86Cpu
{
    private const string CoreFeature = "org.gnu.gdb.i386.core", SseFeature = "org.gnu.gdb.i386.sse", AvxFeature = "org.gnu.gdb.i386.avx", SegmentFeature = "org.gnu.gdb.i386.segments",
        SystemFeature = "org.myna.x86.system", LinuxFeature = "org.gnu.gdb.i386.linux";
    private const int RipNumber = 16, FlagsNumber = 17, FirstSegmentNumber = 18, FirstFpu = 24, FirstFpuControl = 32, FirstXmm = 40, MxcsrNumber = 56, FsBaseNumber = 58, GsBaseNumber = 59,
        KernelGsBaseNumber = 60, FirstControl = 61, FirstYmmHigh = 72, OrigRaxNumber = 88;

    private static readonly string[] s_general = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    // gdb's order of general registers in terms of encodings.
    private static readonly int[] s_encoding = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];
    private static readonly string[] s_segments = ["cs", "ss", "ds", "es", "fs", "gs"];
    private static readonly SegmentRegister[] s_segmentRegisters = [SegmentRegister.Cs, SegmentRegister.Ss, SegmentRegister.Ds, SegmentRegister.Es, SegmentRegister.Fs, SegmentRegister.Gs];
    private static readonly string[] s_fpuControls = ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"];
    private static readonly string[] s_controls = ["cr0", "cr2", "cr3", "cr4", "cr8", "efer"];

    private static readonly CpuRegister[] s_registerList =
    [
        .. s_general.Select((name, i) => new CpuRegister(i, name, 64, CoreFeature)),
        new CpuRegister(RipNumber, "rip", 64, CoreFeature),
        new CpuRegister(FlagsNumber, "eflags", 32, CoreFeature),
        .. s_segments.Select((name, i) => new CpuRegister(FirstSegmentNumber + i, name, 32, CoreFeature)),
        .. Enumerable.Range(0, 8).Select(i => new CpuRegister(FirstFpu + i, $"st{i}", 80, CoreFeature)),
        .. s_fpuControls.Select((name, i) => new CpuRegister(FirstFpuControl + i, name, 32, CoreFeature)),
        .. Enumerable.Range(0, 16).Select(i => new CpuRegister(FirstXmm + i, $"xmm{i}", 128, SseFeature)),
        new CpuRegister(MxcsrNumber, "mxcsr", 32, SseFeature),
        .. Enumerable.Range(0, 16).Select(i => new CpuRegister(FirstYmmHigh + i, $"ymm{i}h", 128, AvxFeature)),
        new CpuRegister(FsBaseNumber, "fs_base", 64, SegmentFeature),
        new CpuRegister(GsBaseNumber, "gs_base", 64, SegmentFeature),
        new CpuRegister(KernelGsBaseNumber, "k_gs_base", 64, SystemFeature),
        .. s_controls.Select((name, i) => new CpuRegister(FirstControl + i, name, 64, SystemFeature)),
    ];

    // A program's: gdb takes a target for Linux when it has orig_rax.
    private static readonly CpuRegister[] s_userRegisterList =
        [.. s_registerList.Where(static r => r.Group != SystemFeature), new CpuRegister(OrigRaxNumber, "orig_rax", 64, LinuxFeature)];

    // A 32-bit program's: the same numbers, as many as it has.
    private static readonly CpuRegister[] s_user32RegisterList = [.. s_userRegisterList.Select(static r => r.Number switch
    {
        < 8 or RipNumber => r with { Name = "e" + r.Name[1..], Bits = 32 },
        OrigRaxNumber => r with { Name = "orig_eax", Bits = 32 },
        >= 8 and < RipNumber or >= FirstXmm + 8 and < FirstXmm + 16 or >= FirstYmmHigh + 8 and < FirstYmmHigh + 16 or FsBaseNumber or GsBaseNumber => null,
        _ => r,
    }).OfType<CpuRegister>()];

    private static readonly Lazy<string> s_description = new(static () => Describe(s_registerList, "i386:x86-64", "")),
        s_userDescription = new(static () => Describe(s_userRegisterList, "i386:x86-64", "<osabi>GNU/Linux</osabi>")),
        s_user32Description = new(static () => Describe(s_user32RegisterList, "i386", "<osabi>GNU/Linux</osabi>"));

    private static string Describe(CpuRegister[] registers, string architecture, string abi)
    {
        var text = new StringBuilder("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\"><architecture>" + architecture + "</architecture>" + abi);
        foreach (IGrouping<string, CpuRegister> feature in registers.GroupBy(r => r.Group))
        {
            text.Append(CultureInfo.InvariantCulture, $"<feature name=\"{feature.Key}\">");
            text.Append(Types(feature.Key));
            foreach (CpuRegister r in feature)
                text.Append(CultureInfo.InvariantCulture, $"<reg name=\"{r.Name}\" bitsize=\"{r.Bits}\" regnum=\"{r.Number}\" type=\"{TypeName(r)}\"{(r.Group == SystemFeature ? " save-restore=\"no\"" : "")}/>");
            text.Append("</feature>");
        }
        return text.Append("</target>").ToString();
    }

    /// <summary>Linear address of the next instruction; <see cref="Ip"/> is what instructions and gdb's rip see.</summary>
    public override ulong Pc
    {
        get => Block.Context.Pc;
        set => Block.Context.Pc = Is64 ? value : (uint)value;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<CpuRegister> Registers => !IsUser ? s_registerList : _options.User32 ? s_user32RegisterList : s_userRegisterList;

    /// <inheritdoc/>
    public override string TargetDescription => (!IsUser ? s_description : _options.User32 ? s_user32Description : s_userDescription).Value;

    /// <inheritdoc/>
    public override bool TryReadRegister(int number, out ulong value)
    {
        ref X86Registers r = ref State;
        ulong? found = number switch
        {
            >= 0 and < RipNumber => r.General[s_encoding[number]],
            // Linear: gdb knows no segments.
            RipNumber => Pc,
            FlagsNumber => RFlags,
            >= FirstSegmentNumber and < FirstSegmentNumber + 6 => r.Selectors[(int)s_segmentRegisters[number - FirstSegmentNumber]],
            >= FirstFpuControl and < FirstXmm => FpuControl(number - FirstFpuControl),
            MxcsrNumber => Block.Context.Mxcsr,
            FsBaseNumber => r.Bases[(int)SegmentRegister.Fs],
            GsBaseNumber => r.Bases[(int)SegmentRegister.Gs],
            KernelGsBaseNumber => _kernelGsBase,
            // Not in a system call.
            OrigRaxNumber => ulong.MaxValue,
            FirstControl => _cr0,
            FirstControl + 1 => _cr2,
            FirstControl + 2 => _cr3,
            FirstControl + 3 => _cr4,
            FirstControl + 4 => (ulong)(LocalApic?.TaskPriority ?? 0),
            FirstControl + 5 => _efer,
            _ => null,
        };
        value = found ?? 0;
        return found is not null;
    }

    /// <inheritdoc/>
    public override bool TryWriteRegister(int number, ulong value)
    {
        ref X86Registers r = ref State;
        switch (number)
        {
            case >= 0 and < RipNumber:
                r.General[s_encoding[number]] = value;
                return true;
            case RipNumber:
                Pc = value;
                return true;
            case FlagsNumber:
                RFlags = value & ~RFlag.VM | r.OtherFlags & RFlag.VM;
                CheckInterrupts();
                return true;
            case >= FirstFpuControl and < FirstXmm:
                return SetFpuControl(number - FirstFpuControl, value);
            case MxcsrNumber:
                // Other bits cannot be set.
                Block.Context.Mxcsr = (uint)value & 0xFFFF;
                UpdateFlags();
                return true;
            case FsBaseNumber:
                r.Bases[(int)SegmentRegister.Fs] = value;
                return true;
            case GsBaseNumber:
                r.Bases[(int)SegmentRegister.Gs] = value;
                return true;
            case KernelGsBaseNumber:
                _kernelGsBase = value;
                return true;
            case OrigRaxNumber:
                return true;
            case FirstControl + 1:
                _cr2 = value;
                return true;
            case FirstControl + 2:
                _cr3 = value;
                FlushTranslations();
                return true;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public override bool TryTranslate(ulong va, out ulong physical)
    {
        physical = 0;
        return (_levels < 4 || IsCanonical(va)) && Translate(va, DataMode, PageRights.Read, debug: true, out physical, out _, out _, out _);
    }

    // A repeated instruction stands still while its registers move.
    internal override bool IsAtSamePoint(EmulatedCpu other) => Pc == other.Pc && HasSameGeneral((X86Cpu)other);

    internal override bool HasSameRegisters(EmulatedCpu other)
    {
        ref X86Registers mine = ref State, theirs = ref ((X86Cpu)other).State;
        return HasSameGeneral((X86Cpu)other)
            && ((ReadOnlySpan<Vector128<byte>>)mine.Vector).SequenceEqual(theirs.Vector)
            && ((ReadOnlySpan<Vector128<ulong>>)mine.X87).SequenceEqual(theirs.X87);
    }

    private bool HasSameGeneral(X86Cpu other)
        => ((ReadOnlySpan<ulong>)State.General).SequenceEqual(other.State.General) && RFlags == other.RFlags;

    /// <inheritdoc/>
    public override bool TryDisassemble(ulong va, out string text, out int length)
    {
        Span<byte> bytes = stackalloc byte[15];
        int count = 0;
        while (count < bytes.Length && ReadMemory(va + (ulong)count, bytes.Slice(count, 1)))
            count++;
        text = X86Disassembler.Format(bytes[..count], Flags.CodeSize, ToIp(va), out length);
        return count != 0;
    }

    /// <inheritdoc/>
    public override IEnumerable<Mapping> Mappings()
    {
        if (_levels == 0)
            return [];
        var found = new List<Mapping>();
        if (_levels == 3)
        {
            for (int i = 0; i < 4; i++)
            {
                if ((_pdptes[i] & Pte.P) != 0)
                    Collect(found, _pdptes[i] & Pte.Address, 1, (ulong)i << 30, Pte.RW | Pte.US, false);
            }
        }
        else
        {
            Collect(found, _cr3 & (_levels == 2 ? 0xFFFF_F000 : Pte.Address & PhysicalMask), _levels - 1, 0, Pte.RW | Pte.US, false);
        }
        return found;
    }

    private void Collect(List<Mapping> found, ulong table, int level, ulong prefix, ulong allowed, bool noExecute)
    {
        const int MaximumRanges = 100_000;
        int entrySize = _levels == 2 ? 4 : 8, indexBits = _levels == 2 ? 10 : 9;
        int shift = 12 + (indexBits * level);
        for (int i = 0; i < 1 << indexBits && found.Count < MaximumRanges; i++)
        {
            ulong address = table + (ulong)(i * entrySize);
            if (!_memory.FindRam(address, entrySize, out _, out _, out _))
                return;
            ulong entry = ReadEntry(address, entrySize);
            if ((entry & Pte.P) == 0)
                continue;
            ulong va = prefix | (ulong)i << shift;
            if (_levels >= 4)
            {
                int unused = _levels == 5 ? 7 : 16;
                va = (ulong)((long)(va << unused) >> unused);
            }
            ulong both = allowed & entry;
            bool nx = noExecute || (entry & Pte.NX) != 0;
            if (level != 0 && ((entry & Pte.PS) == 0 || (_levels == 2 && (_cr4 & Cr4.PSE) == 0)))
            {
                Collect(found, entry & (_levels == 2 ? 0xFFFF_F000 : Pte.Address), level - 1, va, both, nx);
                continue;
            }
            ulong size = 1UL << shift;
            ulong pa = _levels != 2 ? entry & Pte.Address & ~(size - 1) : level == 0 ? entry & 0xFFFF_F000 : entry & 0xFFC0_0000 | (entry >> 13 & 0xFF) << 32;
            Append(found, new Mapping(va, pa, size, true, (both & Pte.RW) != 0, !nx, (both & Pte.US) != 0));
        }
    }

    private protected override bool GuestWatchesData => (_dr7 & 0xFF) != 0;

    private protected override bool GuestWatchesPage(ulong page)
    {
        for (int i = 0; i < 4; i++)
        {
            if (IsBreakpointEnabled(i) && BreakpointType(i) is 1 or 3 && (_dr[i] & ~PageMask) == page)
                return true;
        }
        return false;
    }

    /// <summary>
    /// Executes the instruction that hit a watchpoint: gdb expects an x86 CPU to report it behind the access, as the debug registers do, and
    /// would find the value unchanged otherwise.
    /// </summary>
    private protected override void FinishWatched()
    {
        _watchSuspended = true;
        Stepper!.Step();
        _watchSuspended = false;
    }

    [NotSaved("valid during one step")] private bool _watchSuspended;

    // Whether the instruction at pc addresses memory through SS: a non-canonical address then is #SS instead of #GP. Rare, so it is found out
    // by decoding once more.
    private bool UsesStackSegment(ulong linear)
    {
        if (_delivering)
            return true;
        byte[] bytes = new byte[15];
        int count = FetchBytes(Block.Context.Pc, bytes);
        var decoder = Decoder.Create(Is64 ? 64 : 32, new ByteArrayCodeReader(bytes, 0, count), Block.Context.Pc);
        Instruction instruction = decoder.Decode();
        if (instruction.Mnemonic is Mnemonic.Enter or Mnemonic.Leave)
            return true;
        bool pushes = instruction.IsStackInstruction && instruction.StackPointerIncrement != 0;
        if (!HasExplicitMemory(instruction))
            return pushes;
        if (pushes && !IsCanonical(State.General[4]))
            return true;
        // PUSH and POP of memory outside 64-bit mode: which of the two accesses it is.
        if (pushes && !Is64 && ((uint)(linear - State.General[4]) is 0 || (uint)linear == (uint)(State.General[4] + (ulong)instruction.StackPointerIncrement)))
            return true;
        // 64-bit mode knows no overrides but FS and GS: the base decides.
        return Is64
            ? instruction.MemorySegment is not (Register.FS or Register.GS) && instruction.MemoryBase is Register.RSP or Register.RBP or Register.ESP or Register.EBP
            : instruction.MemorySegment == Register.SS;
    }

    private static bool HasExplicitMemory(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return true;
        }
        return false;
    }
}
