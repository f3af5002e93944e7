using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Decoding;

/// <summary>What became of an attempt to decode.</summary>
public enum DecodeOutcome : byte
{
    /// <summary>An instruction, perhaps an undefined one (handler 0).</summary>
    Ok,
    /// <summary>The bytes end before the instruction does.</summary>
    Truncated,
    /// <summary>More than 15 bytes: #GP(0) (Intel SDM volume 3, section 7.15, interrupt 13).</summary>
    TooLong,
}

/// <summary>
/// Decodes instructions of one CPU model, by Iced. Nothing is allocated for an instruction. Not thread-safe.
/// </summary>
public sealed class X86Decoder
{
    public const int MaxLength = 15;

    // Instructions that reserved NOPs have become (prefetches, CET, CLDEMOTE) stay what they were.
    private const DecoderOptions Options = DecoderOptions.ForceReservedNop;

    private static readonly ushort s_repeatedString = X86Table.Find("X86Cpu.RepeatedString");

    private readonly Func<CpuidFeature, bool> _has;
    private readonly Bytes _bytes = new();
    private readonly Decoder[] _decoders;

    // By encoding: 0 not looked at yet, 1 the model has it, 2 it does not.
    private readonly byte[] _available = new byte[Enum.GetValues<Code>().Cast<int>().Max() + 1];

    /// <param name="has">Whether the model has a feature; asked once for each encoding.</param>
    public X86Decoder(Func<CpuidFeature, bool> has)
    {
        _has = has;
        _decoders = [Decoder.Create(16, _bytes, Options), Decoder.Create(32, _bytes, Options), Decoder.Create(64, _bytes, Options)];
    }

    private sealed class Bytes : CodeReader
    {
        private readonly byte[] _buffer = new byte[MaxLength];
        private int _length, _position;

        public void Set(ReadOnlySpan<byte> code)
        {
            _length = Math.Min(code.Length, MaxLength);
            code[.._length].CopyTo(_buffer);
            _position = 0;
        }

        public override int ReadByte() => _position < _length ? _buffer[_position++] : -1;
    }

    /// <summary>Decodes the instruction at the start of <paramref name="code"/>.</summary>
    /// <param name="code">The bytes that can be read, 15 are enough.</param>
    /// <param name="codeSize">B2, B4 or B8: 16, 32 or 64-bit code (<see cref="BlockFlags.CodeSize"/>).</param>
    public DecodeOutcome Decode(ReadOnlySpan<byte> code, MemSize codeSize, out Insn insn)
    {
        Decoder decoder = _decoders[(int)codeSize - 1];
        _bytes.Set(code);
        decoder.IP = 0;
        decoder.Decode(out Instruction raw);
        insn = default;
        if (raw.Code == Code.INVALID)
        {
            if (decoder.LastError == DecoderError.NoMoreBytes)
                return code.Length < MaxLength ? DecodeOutcome.Truncated : DecodeOutcome.TooLong;
            if (raw.Length >= MaxLength)
                return DecodeOutcome.TooLong;
            insn.Length = (byte)raw.Length;
            insn.Mnemonic = Mnemonic.INVALID;
            return DecodeOutcome.Ok;
        }
        insn.Length = (byte)raw.Length;
        insn.Code = raw.Code;
        insn.Mnemonic = raw.Mnemonic;
        ReadSizes(code, codeSize, ref insn);
        if (!IsAvailable(raw.Code) && !Replace(ref insn))
            return DecodeOutcome.Ok;
        ReadOperands(in raw, ref insn);
        ReadPrefixes(in raw, ref insn);
        if (raw.ConditionCode != ConditionCode.None)
            insn.Condition = (byte)(raw.ConditionCode - 1);
        // PREFETCH and PREFETCHW of a register are undefined on AMD's processors.
        if (insn.Code is Code.Reservednop_rm16_r16_0F0D or Code.Reservednop_rm32_r32_0F0D or Code.Reservednop_rm64_r64_0F0D && insn.Op0.Kind != OperandKind.Memory)
            return DecodeOutcome.Ok;
        insn.Handler = FrequentForms.Find(in insn, codeSize);
        if (insn.Handler == 0)
            insn.Handler = FindHandler(in insn);
        return DecodeOutcome.Ok;
    }

    private bool IsAvailable(Code code)
    {
        ref byte known = ref _available[(int)code];
        if (known == 0)
        {
            known = 1;
            foreach (CpuidFeature feature in code.CpuidFeatures())
            {
                if (!_has(feature))
                    known = 2;
            }
        }
        return known == 1;
    }

    // What an encoding meant before the feature: LZCNT and TZCNT are BSR and BSF with a prefix that says nothing.
    private static bool Replace(ref Insn insn)
    {
        switch (insn.Mnemonic)
        {
            case Mnemonic.Lzcnt:
                insn.Mnemonic = Mnemonic.Bsr;
                insn.Code = insn.Code switch { Code.Lzcnt_r16_rm16 => Code.Bsr_r16_rm16, Code.Lzcnt_r32_rm32 => Code.Bsr_r32_rm32, _ => Code.Bsr_r64_rm64 };
                return true;
            case Mnemonic.Tzcnt:
                insn.Mnemonic = Mnemonic.Bsf;
                insn.Code = insn.Code switch { Code.Tzcnt_r16_rm16 => Code.Bsf_r16_rm16, Code.Tzcnt_r32_rm32 => Code.Bsf_r32_rm32, _ => Code.Bsf_r64_rm64 };
                return true;
            default:
                return false;
        }
    }

    // Effective sizes by prefixes (Intel SDM volume 1, section 3.6).
    private static void ReadSizes(ReadOnlySpan<byte> code, MemSize codeSize, ref Insn insn)
    {
        bool operand = false, address = false;
        int rex = 0;
        int at = 0;
        for (; at < code.Length; at++)
        {
            byte b = code[at];
            switch (b)
            {
                case 0x66:
                    operand = true;
                    rex = 0;
                    continue;
                case 0x67:
                    address = true;
                    rex = 0;
                    continue;
                case 0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65 or 0xF0 or 0xF2 or 0xF3:
                    rex = 0;
                    continue;
            }
            if (codeSize != MemSize.B8 || (b & 0xF0) != 0x40)
                break;
            rex = b;
        }
        // x87 instructions have no immediate; their opcode says everything but the address.
        if (at + 1 < code.Length && code[at] is >= 0xD8 and <= 0xDF)
            insn.Immediate = (ulong)((code[at] & 7) << 8 | code[at + 1]);
        switch (codeSize)
        {
            case MemSize.B2:
                insn.OperandSize = operand ? MemSize.B4 : MemSize.B2;
                insn.AddressSize = address ? MemSize.B4 : MemSize.B2;
                break;
            case MemSize.B4:
                insn.OperandSize = operand ? MemSize.B2 : MemSize.B4;
                insn.AddressSize = address ? MemSize.B2 : MemSize.B4;
                break;
            default:
                insn.AddressSize = address ? MemSize.B4 : MemSize.B8;
                if ((rex & 8) != 0 || IsNearBranch(insn.Mnemonic))
                    insn.OperandSize = MemSize.B8;
                else if (operand)
                    insn.OperandSize = MemSize.B2;
                else
                    insn.OperandSize = UsesStack(insn.Mnemonic) ? MemSize.B8 : MemSize.B4;
                break;
        }
    }

    // Always 64 bits in 64-bit mode on Intel's processors, which ignore an operand size prefix. Far transfers have other handlers.
    private static bool IsNearBranch(Mnemonic mnemonic) => mnemonic is Mnemonic.Call or Mnemonic.Jmp or Mnemonic.Ret
        or Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne or Mnemonic.Jcxz or Mnemonic.Jecxz or Mnemonic.Jrcxz
        or Mnemonic.Ja or Mnemonic.Jae or Mnemonic.Jb or Mnemonic.Jbe or Mnemonic.Je or Mnemonic.Jg or Mnemonic.Jge or Mnemonic.Jl
        or Mnemonic.Jle or Mnemonic.Jne or Mnemonic.Jno or Mnemonic.Jnp or Mnemonic.Jns or Mnemonic.Jo or Mnemonic.Jp or Mnemonic.Js;

    // 64 bits in 64-bit mode unless a prefix says 16.
    private static bool UsesStack(Mnemonic mnemonic) => mnemonic is Mnemonic.Push or Mnemonic.Pop or Mnemonic.Enter or Mnemonic.Leave
        or Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq or Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq;

    private static void ReadPrefixes(in Instruction raw, ref Insn insn)
    {
        if (raw.HasLockPrefix)
            insn.Prefixes |= Prefixes.Lock;
        if (raw.HasRepPrefix)
            insn.Prefixes |= Prefixes.Rep;
        if (raw.HasRepnePrefix)
            insn.Prefixes |= Prefixes.Repne;
        if (raw.Encoding == EncodingKind.VEX)
        {
            insn.Prefixes |= Prefixes.Vex;
            if (HasYmm(in insn) || raw.MemorySize.GetSize() == 32 || raw.MemoryIndex.IsYMM())
                insn.Prefixes |= Prefixes.L256;
        }
    }

    private static bool HasYmm(in Insn insn)
        => insn.Op0.Kind == OperandKind.Ymm || insn.Op1.Kind == OperandKind.Ymm || insn.Op2.Kind == OperandKind.Ymm || insn.Op3.Kind == OperandKind.Ymm
            || insn.Code == Code.VEX_Vzeroall;

    private static void ReadOperands(in Instruction raw, ref Insn insn)
    {
        insn.OperandCount = (byte)raw.OpCount;
        insn.Base = insn.Index = Insn.NoRegister;
        for (int i = 0; i < raw.OpCount; i++)
        {
            Operand operand = ReadOperand(in raw, i, ref insn);
            switch (i)
            {
                case 0: insn.Op0 = operand; break;
                case 1: insn.Op1 = operand; break;
                case 2: insn.Op2 = operand; break;
                case 3: insn.Op3 = operand; break;
                // VPERMIL2: not in any model.
                default: break;
            }
        }
    }

    private static Operand ReadOperand(in Instruction raw, int index, ref Insn insn)
    {
        OpKind kind = raw.GetOpKind(index);
        switch (kind)
        {
            case OpKind.Register:
                return RegisterTable.Get(raw.GetOpRegister(index));
            case OpKind.NearBranch16:
                insn.Immediate = (ulong)(short)(raw.NearBranch16 - raw.Length);
                return new Operand(OperandKind.Relative, 0, 2);
            case OpKind.NearBranch32:
                insn.Immediate = (ulong)(int)(raw.NearBranch32 - (uint)raw.Length);
                return new Operand(OperandKind.Relative, 0, 4);
            case OpKind.NearBranch64:
                insn.Immediate = raw.NearBranch64 - (ulong)raw.Length;
                return new Operand(OperandKind.Relative, 0, 8);
            case OpKind.FarBranch16:
                insn.Immediate = raw.FarBranch16;
                insn.Displacement = raw.FarBranchSelector;
                return new Operand(OperandKind.Far, 0, 4);
            case OpKind.FarBranch32:
                insn.Immediate = raw.FarBranch32;
                insn.Displacement = raw.FarBranchSelector;
                return new Operand(OperandKind.Far, 0, 6);
            case OpKind.Immediate8_2nd:
                insn.Immediate2 = raw.Immediate8_2nd;
                return new Operand(OperandKind.Immediate2, 0, 1);
            case OpKind.Immediate8 or OpKind.Immediate16 or OpKind.Immediate32 or OpKind.Immediate64
                or OpKind.Immediate8to16 or OpKind.Immediate8to32 or OpKind.Immediate8to64 or OpKind.Immediate32to64:
                insn.Immediate = raw.GetImmediate(index);
                return new Operand(OperandKind.Immediate, 0, (byte)(1 << (int)insn.OperandSize));
            default:
                // Memory, and the implicit memory operands of string instructions.
                ReadMemory(in raw, kind, ref insn);
                return new Operand(OperandKind.Memory, 0, (byte)raw.MemorySize.GetSize());
        }
    }

    private static void ReadMemory(in Instruction raw, OpKind kind, ref Insn insn)
    {
        if (kind is OpKind.MemoryESDI or OpKind.MemoryESEDI or OpKind.MemoryESRDI)
        {
            // Of two operands the other has the segment that a prefix can change.
            if (raw.Op0Kind == kind && raw.OpCount == 1)
                insn.Segment = SegmentRegister.Es;
            return;
        }
        insn.Segment = (SegmentRegister)RegisterTable.Get(raw.MemorySegment).Register;
        // 64-bit mode knows no overrides but FS and GS; the base decides between #GP and #SS for addresses that are not canonical.
        if (raw.CodeSize == CodeSize.Code64 && insn.Segment < SegmentRegister.Fs)
            insn.Segment = kind == OpKind.Memory && raw.MemoryBase is Register.RSP or Register.RBP or Register.ESP or Register.EBP ? SegmentRegister.Ss : SegmentRegister.Ds;
        if (kind != OpKind.Memory)
            return;
        insn.Displacement = raw.MemoryDisplacement64;
        if (raw.IsIPRelativeMemoryOperand)
        {
            insn.Base = Insn.Rip;
            insn.Displacement = raw.IPRelativeMemoryAddress - (ulong)raw.Length;
            return;
        }
        if (raw.MemoryBase != Register.None)
            insn.Base = RegisterTable.Get(raw.MemoryBase).Register;
        // XLAT's index is AL, which its semantics know.
        if (raw.MemoryIndex is not (Register.None or Register.AL))
        {
            insn.Index = RegisterTable.Get(raw.MemoryIndex).Register;
            insn.Scale = (byte)System.Numerics.BitOperations.Log2((uint)raw.MemoryIndexScale);
        }
    }

    private static ushort FindHandler(in Insn insn)
    {
        if ((insn.Prefixes & (Prefixes.Rep | Prefixes.Repne)) != 0 && IsRepeatable(insn.Code))
            return s_repeatedString;
        return X86Table.Handler(insn.Mnemonic, insn.Code);
    }

    private static bool IsRepeatable(Code code) => code is Code.Movsb_m8_m8 or Code.Movsw_m16_m16 or Code.Movsd_m32_m32 or Code.Movsq_m64_m64
        or Code.Stosb_m8_AL or Code.Stosw_m16_AX or Code.Stosd_m32_EAX or Code.Stosq_m64_RAX
        or Code.Lodsb_AL_m8 or Code.Lodsw_AX_m16 or Code.Lodsd_EAX_m32 or Code.Lodsq_RAX_m64
        or Code.Cmpsb_m8_m8 or Code.Cmpsw_m16_m16 or Code.Cmpsd_m32_m32 or Code.Cmpsq_m64_m64
        or Code.Scasb_AL_m8 or Code.Scasw_AX_m16 or Code.Scasd_EAX_m32 or Code.Scasq_RAX_m64;
}
