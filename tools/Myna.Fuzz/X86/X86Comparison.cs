using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>Executes cases on the host's processor and elsewhere; what differs is reduced to the instructions that matter.</summary>
internal sealed class X86Comparison(IExecutor reference, IExecutor subject, CaseGenerator generator) : IComparison
{
    private const string NoEnd = "does not come to the end";

    private List<string> _found = [];
    private readonly Outcome _expected = new(), _actual = new();

    /// <summary>Instructions in the cases so far.</summary>
    public ulong Instructions { get; private set; }

    /// <summary>Cases that did not come to an end.</summary>
    public ulong Undecided { get; private set; }

    /// <summary>How often cases ended in each exception.</summary>
    public long[] Vectors { get; } = new long[32];

    /// <summary>Mnemonics of the last difference's instructions.</summary>
    public string Kind { get; private set; } = "";

    public string? Run(ulong seed)
    {
        TestCase test = generator.Generate(seed);
        Instructions += (ulong)test.Items.Count;
        List<string>? differences = Compare(test);
        if (differences is null)
        {
            Undecided++;
            return null;
        }
        Vectors[_expected.Vector & 31]++;
        if (differences.Count == 0)
            return null;
        test = Minimise(test, IsEnd(differences));
        _found = differences;
        Kind = string.Join(' ', test.Items.Where(i => i.Instruction.Code != Code.INVALID).Select(i => i.Instruction.Mnemonic));
        return Report(test);
    }

    /// <summary>What differs; null when the case has no end.</summary>
    private List<string>? Compare(TestCase test)
    {
        if (!reference.Run(test, _expected))
            return null;
        if (!subject.Run(test, _actual))
        {
            // Natively a loop may go round often.
            return test.Items.Any(i => i.Instruction.IsLoop || i.Instruction.IsLoopcc) ? null : [$"{subject.Name} {NoEnd}"];
        }
        if (IsProcessors(test) || EndsInBetween(test))
            return [];
        var differences = new List<string>();
        void Check(string name, ulong mine, ulong theirs)
        {
            if (mine != theirs)
                differences.Add($"{name}: {reference.Name} {mine:x}, {subject.Name} {theirs:x} (bits {mine ^ theirs:x})");
        }
        Check("vector", (ulong)_expected.Vector, (ulong)_actual.Vector);
        Check("rip", _expected.Rip, _actual.Rip);
        if (_expected.Vector == 14)
        {
            // Which byte of a large operand faults first is the processor's own affair.
            bool large = At(test, _expected.Rip) is { } last && !IsElementary(last);
            if (!large)
                Check("cr2", _expected.Cr2, _actual.Cr2);
            // Linux shows all of the upper half as mapped; pages differ.
            ulong hidden = _expected.Cr2 >= 0x7FFF_FFFF_F000 || (large && (_expected.Cr2 ^ _actual.Cr2) >= Layout.Page) ? 1u : 0;
            Check("error code", _expected.ErrorCode | hidden, _actual.ErrorCode | hidden);
        }
        else if (_expected.Vector is 8 or (>= 10 and <= 13) or 17)
            Check("error code", _expected.ErrorCode, _actual.ErrorCode);
        ulong mask = test.Compatibility ? uint.MaxValue : ulong.MaxValue;
        for (int i = 0; i < (test.Compatibility ? 8 : 16); i++)
            Check(((Register)((int)Register.RAX + i)).ToString(), _expected.Gpr[i] & mask, _actual.Gpr[i] & mask);
        ulong undefined = UndefinedFlags.At(test, _expected.Rip);
        // Intel's processors restore the flags when a repeated comparison faults, AMD's do not.
        if (_expected.Vector is 12 or 13 or 14 or 17 && At(test, _expected.Rip) is { } repeated && (repeated.HasRepPrefix || repeated.HasRepnePrefix))
            undefined |= 0x8D5;
        // Single steps of repeated instructions: RF is set behind a page fault that the kernel has mended.
        if (_expected.Vector == 1)
            undefined |= 0x1_0000;
        Check("rflags", _expected.Rflags & ~undefined, _actual.Rflags & ~undefined);
        Check("fs.base", _expected.FsBase, _actual.FsBase);
        Check("gs.base", _expected.GsBase, _actual.GsBase);
        Xsave(test, Check);
        if (!_expected.Memory.AsSpan().SequenceEqual(_actual.Memory))
        {
            for (int at = 0; at < Layout.MemorySize && differences.Count < 40; at += 8)
                Check($"memory {Layout.Address(at):x}", Quad(_expected.Memory, at), Quad(_actual.Memory, at));
        }
        return differences;
    }

    /// <summary>
    /// Whether the case ends with what the manuals leave to the processor: faults of bytes that a masked store does not store; alignment checks of
    /// the places that ENTER looks at without writing; bits of MXCSR that not all processors have; operands in several parts around the end of 4 GiB
    /// (Intel SDM volume 3, section 6.3), and how much FRSTOR has loaded when it runs out of its segment;
    /// kernel addresses that only a segment base makes canonical; which comes first of an address on the stack that is not canonical and its being misaligned.
    /// </summary>
    private bool IsProcessors(TestCase test)
    {
        Instruction expected = At(test, _expected.Rip) ?? default, actual = At(test, _actual.Rip) ?? default;
        if (_actual.Vector == 13 && LoadsUnknownState(actual, test.Compatibility))
            return true;
        if (_expected.Vector == 13 && _actual.Vector == 13 && expected.Mnemonic == Mnemonic.Frstor)
            return true;
        if (_actual.Vector is 12 or 13 && test.Compatibility && (!IsElementary(actual) || actual.Mnemonic == Mnemonic.Bound) && WrapsAround(actual))
            return true;
        if (_expected.Vector == 13 && _actual.Vector == 12 && SizeOf(expected) >= 16)
            return true;
        if (_expected.Vector == 13 && _actual.Vector == 14 && (long)_actual.Cr2 < 0 && expected.SegmentPrefix is Register.FS or Register.GS)
            return true;
        if (_expected.Vector is not (12 or 13 or 14 or 17) && _actual.Vector != 17)
            return false;
        bool alignment = _expected.Vector == 17 || _actual.Vector == 17;
        return expected.Mnemonic is Mnemonic.Maskmovq or Mnemonic.Maskmovdqu or Mnemonic.Vmaskmovdqu
            || (alignment && (expected.Mnemonic == Mnemonic.Enter || actual.Mnemonic == Mnemonic.Enter));
    }

    /// <summary>A single step ends between an instruction and what hides part of its result.</summary>
    private bool EndsInBetween(TestCase test)
    {
        for (int i = 0; i < test.Items.Count; i++)
        {
            if (test.Items[i].Hides && test.Addresses[i] == _expected.Rip)
                return _expected.Vector == _actual.Vector && _expected.Rip == _actual.Rip;
        }
        return false;
    }

    /// <summary>Whether an instruction that the subject refused loads AMD's MXCSR.MM (bit 17), or names state components beside x87, SSE and AVX.</summary>
    private bool LoadsUnknownState(in Instruction instruction, bool compatibility)
    {
        bool xsave = instruction.Mnemonic is Mnemonic.Xrstor or Mnemonic.Xrstor64;
        bool image = xsave || instruction.Mnemonic is Mnemonic.Fxrstor or Mnemonic.Fxrstor64;
        if (!image && instruction.Mnemonic is not (Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr))
            return false;
        if (!TryAddress(instruction, out ulong linear))
            return false;
        linear = compatibility ? (uint)linear : linear;
        ulong Read(int at) => Layout.Offset(linear + (ulong)at) is var offset and >= 0 && offset <= Layout.MemorySize - 8 ? Quad(_actual.Memory, offset) : 0;
        ulong mxcsr = image ? Read(24) : Read(0);
        return (mxcsr & 0xFFFF_0000) == 0x2_0000 || (xsave && ((Read(512) | (Read(520) & long.MaxValue)) & ~7UL) != 0);
    }

    /// <summary>Linear address of the memory operand with the registers that the subject has at the end.</summary>
    private bool TryAddress(in Instruction instruction, out ulong linear)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
            {
                return instruction.TryGetVirtualAddress(i, 0, out linear, (Register register, int _, int _, out ulong value) =>
                {
                    value = register.IsGPR() ? _actual.Gpr[register.GetFullRegister() - Register.RAX] : register switch { Register.FS => _actual.FsBase, Register.GS => _actual.GsBase, _ => 0 };
                    return true;
                });
            }
        }
        linear = 0;
        return false;
    }

    /// <summary>Whether the memory operand of 32-bit code, as it was when the subject faulted, goes beyond offset FFFFFFFFh.</summary>
    private bool WrapsAround(in Instruction instruction)
    {
        if (TryAddress(instruction, out ulong offset))
        {
            offset -= instruction.MemorySegment switch { Register.FS => _actual.FsBase, Register.GS => _actual.GsBase, _ => 0 };
            return (uint)offset + (ulong)SizeOf(instruction) > 0x1_0000_0000;
        }
        return false;
    }

    /// <summary>Bytes of the memory operand.</summary>
    private static int SizeOf(in Instruction instruction) => instruction.MemorySize is MemorySize.Xsave or MemorySize.Xsave64 ? Layout.XsaveSize : instruction.MemorySize.GetSize();

    private static bool IsElementary(in Instruction instruction) => SizeOf(instruction) is 0 or 1 or 2 or 4 or 8 or 16 or 32;

    /// <summary>Operations in steps, each with its own exceptions.</summary>
    private static bool IsDotProduct(Mnemonic mnemonic) => mnemonic is Mnemonic.Dpps or Mnemonic.Dppd or Mnemonic.Vdpps or Mnemonic.Vdppd;

    private void Xsave(TestCase test, Action<string, ulong, ulong> check)
    {
        byte[] mine = _expected.Xsave, theirs = _actual.Xsave;
        if (mine.AsSpan().SequenceEqual(theirs))
            return;
        check("fcw", BinaryPrimitives.ReadUInt16LittleEndian(mine), BinaryPrimitives.ReadUInt16LittleEndian(theirs));
        check("fsw", BinaryPrimitives.ReadUInt16LittleEndian(mine.AsSpan(2)), BinaryPrimitives.ReadUInt16LittleEndian(theirs.AsSpan(2)));
        check("ftw", mine[4], theirs[4]);
        uint mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(mine.AsSpan(24));
        // A limit of ours: whether the result was exact, beside an unmasked overflow or underflow.
        uint limit = _expected.Vector == 19 && (mxcsr & ~(mxcsr >> 7) & 0x18) != 0 ? 0x20u : 0;
        // Which of its steps come before the one that traps.
        if (_expected.Vector == 19 && At(test, _expected.Rip) is { } last && IsDotProduct(last.Mnemonic))
            limit |= 0x3F;
        check("mxcsr", mxcsr | limit, BinaryPrimitives.ReadUInt32LittleEndian(theirs.AsSpan(24)) | limit);
        for (int i = 0; i < 8; i++)
        {
            check($"st{i}", Quad(mine, 32 + (i * 16)), Quad(theirs, 32 + (i * 16)));
            check($"st{i} exponent", Quad(mine, 40 + (i * 16)) & 0xFFFF, Quad(theirs, 40 + (i * 16)) & 0xFFFF);
        }
        for (int i = 0; i < 16; i++)
        {
            for (int half = 0; half < 4; half++)
            {
                int at = (half < 2 ? 160 : 576 - 16) + (i * 16) + (half * 8);
                check($"ymm{i}[{half}]", Quad(mine, at), Quad(theirs, at));
            }
        }
    }

    private static Instruction? At(TestCase test, ulong rip)
    {
        for (int i = 0; i < test.Items.Count; i++)
        {
            // FSTENV and the like are WAIT and another instruction.
            if (test.Items[i].Instruction.Code != Code.INVALID && (test.Addresses[i] == rip || (test.Addresses[i] + 1 == rip && test.Items[i].Instruction.Code.ToOpCode().Fwait)))
                return test.Items[i].Instruction;
        }
        return null;
    }

    private static ulong Quad(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));

    private bool Differs(TestCase test, bool ends) => Compare(test) is { Count: > 0 } differences && IsEnd(differences) == ends;

    private static bool IsEnd(List<string> differences) => !differences[0].EndsWith(NoEnd, StringComparison.Ordinal);

    /// <summary>Leaves out instructions as long as there is still a difference.</summary>
    private TestCase Minimise(TestCase test, bool ends)
    {
        for (int size = test.Items.Count; size >= 1; size /= 2)
        {
            for (int at = 0; at < test.Items.Count; at += size)
            {
                var items = new List<Item>(test.Items);
                bool changed = false;
                // What belongs together goes together.
                int from = at, to = Math.Min(at + size, items.Count);
                while (from > 0 && items[from].Joined)
                    from--;
                while (to < items.Count && items[to].Joined)
                    to++;
                for (int i = from; i < to; i++)
                {
                    changed |= items[i].Instruction.Code != Code.INVALID;
                    items[i] = new Item(default(Instruction)) { Joined = items[i].Joined };
                }
                if (!changed || UndefinedFlags.Matter(items))
                    continue;
                byte[] code = test.Memory.AsSpan(0, Layout.CodeSize).ToArray();
                TestCase candidate = test.With(items).Assemble();
                if (Differs(candidate, ends))
                    test = candidate;
                else
                    code.CopyTo(test.Memory.AsSpan());
            }
        }
        return test;
    }

    private string Report(TestCase test)
    {
        List<string> differences = Compare(test) ?? ["no end"];
        if (differences.Count == 0)
            differences = ["none when the case is executed once more; before:", .. _found];
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"seed {test.Seed}, {test.Bitness}-bit code, {subject.Name} against {reference.Name}:");
        var formatter = new IntelFormatter();
        formatter.Options.HexPrefix = "0x";
        formatter.Options.HexSuffix = "";
        var output = new StringOutput();
        for (int i = 0; i < test.Items.Count; i++)
        {
            if (test.Items[i].Instruction.Code == Code.INVALID)
                continue;
            int offset = (int)(test.Addresses[i] - Layout.Code);
            var decoder = Iced.Intel.Decoder.Create(test.Bitness, new ByteArrayCodeReader(test.Memory, offset, 15));
            decoder.IP = test.Addresses[i];
            decoder.Decode(out Instruction instruction);
            formatter.Format(instruction, output);
            text.AppendLine(CultureInfo.InvariantCulture, $"  {test.Addresses[i]:x}  {Convert.ToHexString(test.Memory, offset, instruction.Length),-24}  {output.ToStringAndReset()}  ({instruction.Code})");
        }
        text.AppendLine("before:");
        for (int i = 0; i < (test.Compatibility ? 8 : 16); i++)
            text.Append(CultureInfo.InvariantCulture, $"  {(Register)((int)Register.RAX + i),-3} {test.Gpr[i]:x16}").Append(i % 4 == 3 ? "\n" : "");
        text.AppendLine(CultureInfo.InvariantCulture, $"  rflags {test.Rflags:x} fs.base {test.FsBase:x} gs.base {test.GsBase:x} mxcsr {Quad(test.Xsave, 24) & 0xFFFF:x} fcw {Quad(test.Xsave, 0) & 0xFFFF:x} fsw {Quad(test.Xsave, 2) & 0xFFFF:x} ftw {test.Xsave[4]:x}");
        AppendUsed(text, test);
        text.AppendLine(CultureInfo.InvariantCulture, $"{reference.Name}: vector {_expected.Vector}, rip {_expected.Rip:x}, error code {_expected.ErrorCode:x}, cr2 {_expected.Cr2:x}; {subject.Name}: vector {_actual.Vector}, rip {_actual.Rip:x}, error code {_actual.ErrorCode:x}, cr2 {_actual.Cr2:x}");
        text.AppendLine("differences:");
        foreach (string difference in differences)
            text.AppendLine($"  {difference}");
        return text.ToString();
    }

    /// <summary>The vector and x87 registers that the instructions name, and memory operands that lie where it is known.</summary>
    private static void AppendUsed(StringBuilder text, TestCase test)
    {
        var info = new InstructionInfoFactory();
        var registers = new SortedSet<int>();
        bool x87 = false;
        foreach (Item item in test.Items)
        {
            if (item.Instruction.Code == Code.INVALID)
                continue;
            InstructionInfo used = info.GetInfo(item.Instruction);
            foreach (UsedRegister register in used.GetUsedRegisters())
            {
                if (register.Register.IsVectorRegister())
                    registers.Add(register.Register.GetNumber());
                x87 |= register.Register.IsST() || register.Register.IsMM();
            }
            x87 |= Array.Exists(item.Instruction.CpuidFeatures, f => f is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387);
            foreach (UsedMemory memory in used.GetUsedMemory())
            {
                if (!memory.TryGetVirtualAddress(0, out ulong address, (Register register, int _, int _, out ulong value) =>
                {
                    value = register switch
                    {
                        Register.FS => test.FsBase,
                        Register.GS => test.GsBase,
                        _ => register.IsGPR() ? test.Gpr[register.GetFullRegister() - Register.RAX] : 0,
                    };
                    return register.IsGPR() || register.IsSegmentRegister();
                }))
                {
                    continue;
                }
                int offset = Layout.Offset(address), size = Math.Max(memory.MemorySize.GetSize(), 1);
                if (offset >= 0)
                    text.AppendLine(CultureInfo.InvariantCulture, $"  [{address:x}] {Convert.ToHexString(test.Memory.AsSpan(offset, Math.Min(size, Layout.MemorySize - offset)))}");
            }
        }
        foreach (int i in registers)
            text.AppendLine(CultureInfo.InvariantCulture, $"  ymm{i} {Quad(test.Xsave, 584 + (i * 16)):x16}_{Quad(test.Xsave, 576 + (i * 16)):x16}_{Quad(test.Xsave, 168 + (i * 16)):x16}_{Quad(test.Xsave, 160 + (i * 16)):x16}");
        for (int i = 0; x87 && i < 8; i++)
            text.Append(CultureInfo.InvariantCulture, $"  st{i} {Quad(test.Xsave, 40 + (i * 16)) & 0xFFFF:x4}_{Quad(test.Xsave, 32 + (i * 16)):x16}").Append(i % 4 == 3 ? "\n" : "");
    }

    public void Dispose()
    {
        reference.Dispose();
        subject.Dispose();
    }
}
