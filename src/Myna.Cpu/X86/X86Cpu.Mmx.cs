using System.Numerics;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;
using Myna.Jit.Engine;
using Myna.Jit.Operations;
using Vector = Myna.Cpu.X86.Instructions.Vector;

namespace Myna.Cpu.X86;

// MMX (Intel SDM volume 1, chapter 9) and the MMX forms of SSE, SSE2 and SSSE3. A register is the significand of an x87
// register; an operation is the 128-bit one on the low halves, or on both operands side by side.
public sealed partial class X86Cpu
{
    [NotSaved("scratch of one instruction")]
    private VectorFrame _mmx;

    private ulong Mmx(int register) => State.X87[register][0];

    private void SetMmx(int register, ulong value) => State.X87[register] = Vector128.Create(value, 0xFFFF);

    /// <summary>Availability and pending x87 exceptions (Intel SDM volume 3, table 13-1).</summary>
    private bool MmxAvailable()
    {
        if (!Flags.X87On)
        {
            RaiseException((_cr0 & Cr0.EM) != 0 ? Vector.UD : Vector.NM);
            return false;
        }
        return X87CheckPending();
    }

    /// <summary>Every MMX instruction but EMMS makes all registers valid and TOP 0 (Intel SDM volume 1, 9.5.1).</summary>
    private void MmxEnter()
    {
        X87Top = 0;
        State.X87Empty = 0;
    }

    /// <summary>Reads a register or memory operand of 4 or 8 bytes.</summary>
    private bool MmxRead(in Insn insn, Operand operand, out ulong value)
    {
        value = 0;
        switch (operand.Kind)
        {
            case OperandKind.Mmx:
                value = Mmx(operand.Register);
                return true;
            case OperandKind.Gpr:
                value = State.General[operand.Register];
                if (operand.Size == 4)
                    value = (uint)value;
                return true;
            case OperandKind.Xmm:
                value = State.Vector[operand.Register].AsUInt64()[0];
                return true;
            default:
                return X87Linear(insn, operand.Size, write: false, out ulong linear)
                    && Load(linear, operand.Size == 2 ? MemSize.B2 : operand.Size == 4 ? MemSize.B4 : MemSize.B8, DataMode, out value);
        }
    }

    private ulong MmxCompute(VectorOp operation, Vector128<ulong> a, Vector128<ulong> b, byte imm = 0)
    {
        _mmx.A = a.AsByte();
        _mmx.B = b.AsByte();
        HostVector.Execute(operation, imm, ref _mmx);
        return _mmx.Result.AsUInt64()[0];
    }

    private static Vector128<ulong> Low(ulong value) => Vector128.CreateScalar(value);

    /// <summary>Destination and source; of shifts the source is the count.</summary>
    [X86Form(Code.Punpcklbw_mm_mmm32, Code.Punpcklwd_mm_mmm32, Code.Punpckldq_mm_mmm32,
        Code.Pcmpgtb_mm_mmm64, Code.Pcmpgtw_mm_mmm64, Code.Pcmpgtd_mm_mmm64, Code.Pcmpeqb_mm_mmm64, Code.Pcmpeqw_mm_mmm64, Code.Pcmpeqd_mm_mmm64,
        Code.Psrlw_mm_mmm64, Code.Psrld_mm_mmm64, Code.Psrlq_mm_mmm64, Code.Psraw_mm_mmm64, Code.Psrad_mm_mmm64, Code.Psllw_mm_mmm64, Code.Pslld_mm_mmm64, Code.Psllq_mm_mmm64,
        Code.Paddb_mm_mmm64, Code.Paddw_mm_mmm64, Code.Paddd_mm_mmm64, Code.Paddq_mm_mmm64, Code.Psubb_mm_mmm64, Code.Psubw_mm_mmm64, Code.Psubd_mm_mmm64, Code.Psubq_mm_mmm64,
        Code.Paddsb_mm_mmm64, Code.Paddsw_mm_mmm64, Code.Paddusb_mm_mmm64, Code.Paddusw_mm_mmm64, Code.Psubsb_mm_mmm64, Code.Psubsw_mm_mmm64, Code.Psubusb_mm_mmm64, Code.Psubusw_mm_mmm64,
        Code.Pmullw_mm_mmm64, Code.Pmulhw_mm_mmm64, Code.Pmulhuw_mm_mmm64, Code.Pmuludq_mm_mmm64, Code.Pmaddwd_mm_mmm64, Code.Psadbw_mm_mmm64,
        Code.Pand_mm_mmm64, Code.Pandn_mm_mmm64, Code.Por_mm_mmm64, Code.Pxor_mm_mmm64,
        Code.Pminub_mm_mmm64, Code.Pmaxub_mm_mmm64, Code.Pminsw_mm_mmm64, Code.Pmaxsw_mm_mmm64, Code.Pavgb_mm_mmm64, Code.Pavgw_mm_mmm64,
        Code.Pmaddubsw_mm_mmm64, Code.Psignb_mm_mmm64, Code.Psignw_mm_mmm64, Code.Psignd_mm_mmm64, Code.Pmulhrsw_mm_mmm64)]
    private Flow MmxBinary(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong b))
            return Flow.Fault;
        MmxEnter();
        VectorOp operation = insn.Mnemonic switch
        {
            Mnemonic.Psrlw => VectorOp.Psrlw,
            Mnemonic.Psrld => VectorOp.Psrld,
            Mnemonic.Psrlq => VectorOp.Psrlq,
            Mnemonic.Psraw => VectorOp.Psraw,
            Mnemonic.Psrad => VectorOp.Psrad,
            Mnemonic.Psllw => VectorOp.Psllw,
            Mnemonic.Pslld => VectorOp.Pslld,
            Mnemonic.Psllq => VectorOp.Psllq,
            _ => X86Table.Operation(insn.Mnemonic),
        };
        int r = insn.Op0.Register;
        SetMmx(r, MmxCompute(operation, Low(Mmx(r)), Low(b)));
        return Flow.Next;
    }

    /// <summary>Operations whose result takes its low half from the destination, its high half from the source.</summary>
    [X86Form(Code.Packsswb_mm_mmm64, Code.Packuswb_mm_mmm64, Code.Packssdw_mm_mmm64,
        Code.Phaddw_mm_mmm64, Code.Phaddd_mm_mmm64, Code.Phaddsw_mm_mmm64, Code.Phsubw_mm_mmm64, Code.Phsubd_mm_mmm64, Code.Phsubsw_mm_mmm64)]
    private Flow MmxHorizontal(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong b))
            return Flow.Fault;
        MmxEnter();
        int r = insn.Op0.Register;
        SetMmx(r, MmxCompute(X86Table.Operation(insn.Mnemonic), Vector128.Create(Mmx(r), b), default));
        return Flow.Next;
    }

    /// <summary>The upper half of what interleaving the low halves gives.</summary>
    [X86Form(Code.Punpckhbw_mm_mmm64, Code.Punpckhwd_mm_mmm64, Code.Punpckhdq_mm_mmm64)]
    private Flow MmxUnpackHigh(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong b))
            return Flow.Fault;
        MmxEnter();
        VectorOp operation = insn.Mnemonic switch
        {
            Mnemonic.Punpckhbw => VectorOp.Punpcklbw,
            Mnemonic.Punpckhwd => VectorOp.Punpcklwd,
            _ => VectorOp.Punpckldq,
        };
        int r = insn.Op0.Register;
        MmxCompute(operation, Low(Mmx(r)), Low(b));
        SetMmx(r, _mmx.Result.AsUInt64()[1]);
        return Flow.Next;
    }

    [X86Form(Code.Pabsb_mm_mmm64, Code.Pabsw_mm_mmm64, Code.Pabsd_mm_mmm64, Code.Pshufw_mm_mmm64_imm8)]
    private Flow MmxUnary(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong value))
            return Flow.Fault;
        MmxEnter();
        VectorOp operation = insn.Mnemonic == Mnemonic.Pshufw ? VectorOp.Pshuflw : X86Table.Operation(insn.Mnemonic);
        SetMmx(insn.Op0.Register, MmxCompute(operation, Low(value), default, (byte)insn.Immediate));
        return Flow.Next;
    }

    /// <summary>Indices of PSHUFB have 3 bits here, not 4.</summary>
    [X86Form(Code.Pshufb_mm_mmm64)]
    private Flow MmxShuffleBytes(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong b))
            return Flow.Fault;
        MmxEnter();
        int r = insn.Op0.Register;
        SetMmx(r, MmxCompute(VectorOp.Pshufb, Low(Mmx(r)), Low(b & 0x8787_8787_8787_8787)));
        return Flow.Next;
    }

    [X86Form(Code.Palignr_mm_mmm64_imm8)]
    private Flow MmxAlign(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong b))
            return Flow.Fault;
        MmxEnter();
        int r = insn.Op0.Register;
        int bits = (int)(byte)insn.Immediate * 8;
        UInt128 both = new(Mmx(r), b);
        SetMmx(r, bits < 128 ? (ulong)(both >> bits) : 0);
        return Flow.Next;
    }

    [X86Form(Code.Psrlw_mm_imm8, Code.Psraw_mm_imm8, Code.Psllw_mm_imm8, Code.Psrld_mm_imm8, Code.Psrad_mm_imm8, Code.Pslld_mm_imm8, Code.Psrlq_mm_imm8, Code.Psllq_mm_imm8)]
    private Flow MmxShift(in Insn insn)
    {
        if (!MmxAvailable())
            return Flow.Fault;
        MmxEnter();
        VectorOp operation = insn.Mnemonic switch
        {
            Mnemonic.Psrlw => VectorOp.Psrlw,
            Mnemonic.Psraw => VectorOp.Psraw,
            Mnemonic.Psllw => VectorOp.Psllw,
            Mnemonic.Psrld => VectorOp.Psrld,
            Mnemonic.Psrad => VectorOp.Psrad,
            Mnemonic.Pslld => VectorOp.Pslld,
            Mnemonic.Psrlq => VectorOp.Psrlq,
            _ => VectorOp.Psllq,
        };
        int r = insn.Op0.Register;
        SetMmx(r, MmxCompute(operation, Low(Mmx(r)), Low((byte)insn.Immediate)));
        return Flow.Next;
    }

    [X86Form(Code.Movd_mm_rm32, Code.Movq_mm_rm64, Code.Movq_mm_mmm64, Code.Movdq2q_mm_xmm)]
    private Flow MmxMoveTo(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong value))
            return Flow.Fault;
        MmxEnter();
        SetMmx(insn.Op0.Register, value);
        return Flow.Next;
    }

    [X86Form(Code.Movd_rm32_mm, Code.Movq_rm64_mm, Code.Movq_mmm64_mm, Code.Movntq_m64_mm, Code.Movq2dq_xmm_mm)]
    private Flow MmxMoveFrom(in Insn insn)
    {
        if (!MmxAvailable())
            return Flow.Fault;
        ulong value = Mmx(insn.Op1.Register);
        int r = insn.Op0.Register;
        switch (insn.Op0.Kind)
        {
            case OperandKind.Gpr:
                State.General[r] = insn.Op0.Size == 4 ? (uint)value : value;
                break;
            case OperandKind.Mmx:
                SetMmx(r, value);
                break;
            case OperandKind.Xmm:
                State.Vector[r] = Low(value).AsByte();
                break;
            default:
                if (!X87Linear(insn, insn.Op0.Size, write: true, out ulong linear)
                    || !Store(linear, insn.Op0.Size == 4 ? MemSize.B4 : MemSize.B8, DataMode, value))
                {
                    return Flow.Fault;
                }
                break;
        }
        MmxEnter();
        return Flow.Next;
    }

    [X86Form(Code.Pinsrw_mm_r32m16_imm8, Code.Pinsrw_mm_r64m16_imm8)]
    private Flow MmxInsert(in Insn insn)
    {
        if (!MmxAvailable() || !MmxRead(insn, insn.Op1, out ulong value))
            return Flow.Fault;
        MmxEnter();
        int shift = ((int)insn.Immediate & 3) * 16, r = insn.Op0.Register;
        SetMmx(r, (Mmx(r) & ~(0xFFFFUL << shift)) | (value & 0xFFFF) << shift);
        return Flow.Next;
    }

    [X86Form(Code.Pextrw_r32_mm_imm8, Code.Pextrw_r64_mm_imm8)]
    private Flow MmxExtract(in Insn insn)
    {
        if (!MmxAvailable())
            return Flow.Fault;
        MmxEnter();
        State.General[insn.Op0.Register] = Mmx(insn.Op1.Register) >> (((int)insn.Immediate & 3) * 16) & 0xFFFF;
        return Flow.Next;
    }

    [X86Form(Code.Pmovmskb_r32_mm, Code.Pmovmskb_r64_mm)]
    private Flow MmxMask(in Insn insn)
    {
        if (!MmxAvailable())
            return Flow.Fault;
        MmxEnter();
        State.General[insn.Op0.Register] = Low(Mmx(insn.Op1.Register)).AsByte().ExtractMostSignificantBits();
        return Flow.Next;
    }

    /// <summary>Stores the bytes whose mask bit is set; only they can fault.</summary>
    [X86Form(Code.Maskmovq_rDI_mm_mm)]
    private Flow MmxMaskedStore(in Insn insn)
    {
        if (!MmxAvailable())
            return Flow.Fault;
        Operand data = insn.Op0.Kind == OperandKind.Mmx ? insn.Op0 : insn.Op1;
        Operand control = insn.Op0.Kind == OperandKind.Mmx ? insn.Op1 : insn.Op2;
        uint mask = Low(Mmx(control.Register)).AsByte().ExtractMostSignificantBits() & 0xFF;
        ulong value = Mmx(data.Register), offset = State.General[7];
        offset = insn.AddressSize switch
        {
            MemSize.B2 => (ushort)offset,
            MemSize.B4 => (uint)offset,
            _ => offset,
        };
        if (mask != 0)
        {
            int first = BitOperations.TrailingZeroCount(mask), last = BitOperations.Log2(mask);
            if (!CheckSegment(insn.Segment, offset + (ulong)first, last - first + 1, write: true, out ulong linear)
                || !ProbeWrite(linear, last - first + 1, DataMode))
            {
                return Flow.Fault;
            }
            for (int i = first; i <= last; i++)
            {
                if ((mask >> i & 1) != 0 && !Store(linear + (ulong)(i - first), MemSize.B1, DataMode, value >> (i * 8)))
                    return Flow.Fault;
            }
        }
        MmxEnter();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Emms)]
    private Flow MmxEmpty(in Insn insn)
    {
        if (!MmxAvailable())
            return Flow.Fault;
        // Intel's processors leave TOP alone here, AMD's do not.
        X87Top = 0;
        State.X87Empty = 0xFF;
        return Flow.Next;
    }

    /// <summary>Conversions between packed integers in MMX registers and floating-point values in XMM registers.</summary>
    [X86Form(Code.Cvtpi2ps_xmm_mmm64, Code.Cvtpi2pd_xmm_mmm64, Code.Cvtps2pi_mm_xmmm64, Code.Cvttps2pi_mm_xmmm64, Code.Cvtpd2pi_mm_xmmm128, Code.Cvttpd2pi_mm_xmmm128)]
    private Flow MmxConvert(in Insn insn)
    {
        // From memory to an XMM register: no MMX register is touched.
        bool enters = insn.Op0.Kind == OperandKind.Mmx || insn.Op1.Kind == OperandKind.Mmx;
        if (!Flags.SseOn)
        {
            RaiseException(VectorUnavailable(avx: false));
            return Flow.Fault;
        }
        if (enters && !X87CheckPending())
            return Flow.Fault;
        if (!MmxReadVector(insn, out Vector128<ulong> source))
            return Flow.Fault;
        VectorOp operation = insn.Mnemonic switch
        {
            Mnemonic.Cvtpi2ps => VectorOp.Cvtdq2ps,
            Mnemonic.Cvtpi2pd => VectorOp.Cvtdq2pd,
            Mnemonic.Cvtps2pi => VectorOp.Cvtps2dq,
            Mnemonic.Cvttps2pi => VectorOp.Cvttps2dq,
            Mnemonic.Cvtpd2pi => VectorOp.Cvtpd2dq,
            _ => VectorOp.Cvttpd2dq,
        };
        ref uint mxcsr = ref Block.Context.Mxcsr;
        _mmx.Mxcsr = Mxcsr.ForTrial(mxcsr);
        ulong low = MmxCompute(operation, source, default);
        // The transition from x87 comes before the exceptions of the conversion.
        if (enters)
            MmxEnter();
        if (operation != VectorOp.Cvtdq2pd && Mxcsr.Raise(ref mxcsr, _mmx.Mxcsr & Mxcsr.Flags))
        {
            RaiseException(SimdException);
            return Flow.Fault;
        }
        ref X86Registers state = ref State;
        int r = insn.Op0.Register;
        if (insn.Op0.Kind == OperandKind.Mmx)
            SetMmx(r, low);
        else if (insn.Mnemonic == Mnemonic.Cvtpi2ps)
            state.Vector[r] = state.Vector[r].AsUInt64().WithElement(0, low).AsByte();
        else
            state.Vector[r] = _mmx.Result;
        return Flow.Next;
    }

    private bool MmxReadVector(in Insn insn, out Vector128<ulong> value)
    {
        value = default;
        Operand operand = insn.Op1;
        if (operand.Kind == OperandKind.Xmm)
        {
            // The upper half would raise exceptions of its own.
            value = State.Vector[operand.Register].AsUInt64();
            if (insn.Mnemonic is Mnemonic.Cvtps2pi or Mnemonic.Cvttps2pi)
                value = Low(value[0]);
            return true;
        }
        if (operand.Kind != OperandKind.Memory || operand.Size != 16)
        {
            bool read = MmxRead(insn, operand, out ulong low);
            value = Low(low);
            return read;
        }
        if (!X87Linear(insn, 16, write: false, out ulong linear))
            return false;
        if ((linear & 15) != 0)
        {
            RaiseException(Vector.GP);
            return false;
        }
        bool loaded = Load(linear, MemSize.B8, DataMode, out ulong first);
        ulong second = 0;
        loaded = loaded && Load(linear + 8, MemSize.B8, DataMode, out second);
        value = Vector128.Create(first, second);
        return loaded;
    }
}
