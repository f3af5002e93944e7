using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Instructions that are one operation on each 128 bits.</summary>
internal static partial class Simd<TOps, T, V>
{
    /// <summary>Destination and source.</summary>
    [VectorInstruction(VectorOp.Sqrtps, Mnemonic.Sqrtps, Mnemonic.Vsqrtps)]
    [VectorInstruction(VectorOp.Sqrtpd, Mnemonic.Sqrtpd, Mnemonic.Vsqrtpd)]
    [VectorInstruction(VectorOp.Rsqrtps, Mnemonic.Rsqrtps, Mnemonic.Vrsqrtps)]
    [VectorInstruction(VectorOp.Rcpps, Mnemonic.Rcpps, Mnemonic.Vrcpps)]
    [VectorInstruction(VectorOp.Cvtdq2ps, Mnemonic.Cvtdq2ps, Mnemonic.Vcvtdq2ps)]
    [VectorInstruction(VectorOp.Cvtps2dq, Mnemonic.Cvtps2dq, Mnemonic.Vcvtps2dq)]
    [VectorInstruction(VectorOp.Cvttps2dq, Mnemonic.Cvttps2dq, Mnemonic.Vcvttps2dq)]
    [VectorInstruction(VectorOp.Pshufd, Mnemonic.Pshufd, Mnemonic.Vpshufd)]
    [VectorInstruction(VectorOp.Pshufhw, Mnemonic.Pshufhw, Mnemonic.Vpshufhw)]
    [VectorInstruction(VectorOp.Pshuflw, Mnemonic.Pshuflw, Mnemonic.Vpshuflw)]
    [VectorInstruction(VectorOp.Movddup, Mnemonic.Movddup, Mnemonic.Vmovddup)]
    [VectorInstruction(VectorOp.Movsldup, Mnemonic.Movsldup, Mnemonic.Vmovsldup)]
    [VectorInstruction(VectorOp.Movshdup, Mnemonic.Movshdup, Mnemonic.Vmovshdup)]
    [VectorInstruction(VectorOp.Pabsb, Mnemonic.Pabsb, Mnemonic.Vpabsb)]
    [VectorInstruction(VectorOp.Pabsw, Mnemonic.Pabsw, Mnemonic.Vpabsw)]
    [VectorInstruction(VectorOp.Pabsd, Mnemonic.Pabsd, Mnemonic.Vpabsd)]
    [VectorInstruction(VectorOp.Phminposuw, Mnemonic.Phminposuw, Mnemonic.Vphminposuw)]
    [VectorInstruction(VectorOp.Roundps, Mnemonic.Roundps, Mnemonic.Vroundps)]
    [VectorInstruction(VectorOp.Roundpd, Mnemonic.Roundpd, Mnemonic.Vroundpd)]
    [VectorInstruction(VectorOp.Aesimc, Mnemonic.Aesimc, Mnemonic.Vaesimc)]
    [VectorInstruction(VectorOp.Aeskeygenassist, Mnemonic.Aeskeygenassist, Mnemonic.Vaeskeygenassist)]
    public static void Unary(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn))
            Unary(ref ops, in insn, X86Table.Operation(insn.Mnemonic));
    }

    private static void Unary(ref TOps ops, in Insn insn, VectorOp op)
    {
        byte imm = (byte)insn.Immediate;
        if (insn.Is256)
        {
            if (!Read(ref ops, in insn, insn.Op1, out V low, out V high))
                return;
            low = ops.Vector(op, low, imm);
            high = ops.Vector(op, high, op.HighImmediate(imm));
            if (!op.IsFloat() || ops.RaiseSimd())
                SetYmm(ref ops, insn.Op0.Register, low, high);
        }
        else if (Read(ref ops, in insn, insn.Op1, out V source))
        {
            V result = ops.Vector(op, source, imm);
            if (!op.IsFloat() || ops.RaiseSimd())
                SetXmm(ref ops, in insn, insn.Op0.Register, result);
        }
    }

    /// <summary>Destination and two sources; of legacy encodings the destination is the first source.</summary>
    [VectorInstruction(VectorOp.Sqrtss, Mnemonic.Sqrtss, Mnemonic.Vsqrtss)]
    [VectorInstruction(VectorOp.Sqrtsd, Mnemonic.Sqrtsd, Mnemonic.Vsqrtsd)]
    [VectorInstruction(VectorOp.Addps, Mnemonic.Addps, Mnemonic.Vaddps)]
    [VectorInstruction(VectorOp.Addpd, Mnemonic.Addpd, Mnemonic.Vaddpd)]
    [VectorInstruction(VectorOp.Addss, Mnemonic.Addss, Mnemonic.Vaddss)]
    [VectorInstruction(VectorOp.Addsd, Mnemonic.Addsd, Mnemonic.Vaddsd)]
    [VectorInstruction(VectorOp.Mulps, Mnemonic.Mulps, Mnemonic.Vmulps)]
    [VectorInstruction(VectorOp.Mulpd, Mnemonic.Mulpd, Mnemonic.Vmulpd)]
    [VectorInstruction(VectorOp.Mulss, Mnemonic.Mulss, Mnemonic.Vmulss)]
    [VectorInstruction(VectorOp.Mulsd, Mnemonic.Mulsd, Mnemonic.Vmulsd)]
    [VectorInstruction(VectorOp.Subps, Mnemonic.Subps, Mnemonic.Vsubps)]
    [VectorInstruction(VectorOp.Subpd, Mnemonic.Subpd, Mnemonic.Vsubpd)]
    [VectorInstruction(VectorOp.Subss, Mnemonic.Subss, Mnemonic.Vsubss)]
    [VectorInstruction(VectorOp.Subsd, Mnemonic.Subsd, Mnemonic.Vsubsd)]
    [VectorInstruction(VectorOp.Minps, Mnemonic.Minps, Mnemonic.Vminps)]
    [VectorInstruction(VectorOp.Minpd, Mnemonic.Minpd, Mnemonic.Vminpd)]
    [VectorInstruction(VectorOp.Minss, Mnemonic.Minss, Mnemonic.Vminss)]
    [VectorInstruction(VectorOp.Minsd, Mnemonic.Minsd, Mnemonic.Vminsd)]
    [VectorInstruction(VectorOp.Divps, Mnemonic.Divps, Mnemonic.Vdivps)]
    [VectorInstruction(VectorOp.Divpd, Mnemonic.Divpd, Mnemonic.Vdivpd)]
    [VectorInstruction(VectorOp.Divss, Mnemonic.Divss, Mnemonic.Vdivss)]
    [VectorInstruction(VectorOp.Divsd, Mnemonic.Divsd, Mnemonic.Vdivsd)]
    [VectorInstruction(VectorOp.Maxps, Mnemonic.Maxps, Mnemonic.Vmaxps)]
    [VectorInstruction(VectorOp.Maxpd, Mnemonic.Maxpd, Mnemonic.Vmaxpd)]
    [VectorInstruction(VectorOp.Maxss, Mnemonic.Maxss, Mnemonic.Vmaxss)]
    [VectorInstruction(VectorOp.Maxsd, Mnemonic.Maxsd, Mnemonic.Vmaxsd)]
    [VectorInstruction(VectorOp.Rsqrtss, Mnemonic.Rsqrtss, Mnemonic.Vrsqrtss)]
    [VectorInstruction(VectorOp.Rcpss, Mnemonic.Rcpss, Mnemonic.Vrcpss)]
    [VectorInstruction(VectorOp.Andps, Mnemonic.Andps, Mnemonic.Vandps)]
    [VectorInstruction(VectorOp.Andpd, Mnemonic.Andpd, Mnemonic.Vandpd)]
    [VectorInstruction(VectorOp.Andnps, Mnemonic.Andnps, Mnemonic.Vandnps)]
    [VectorInstruction(VectorOp.Andnpd, Mnemonic.Andnpd, Mnemonic.Vandnpd)]
    [VectorInstruction(VectorOp.Orps, Mnemonic.Orps, Mnemonic.Vorps)]
    [VectorInstruction(VectorOp.Orpd, Mnemonic.Orpd, Mnemonic.Vorpd)]
    [VectorInstruction(VectorOp.Xorps, Mnemonic.Xorps, Mnemonic.Vxorps)]
    [VectorInstruction(VectorOp.Xorpd, Mnemonic.Xorpd, Mnemonic.Vxorpd)]
    [VectorInstruction(VectorOp.Shufps, Mnemonic.Shufps, Mnemonic.Vshufps)]
    [VectorInstruction(VectorOp.Shufpd, Mnemonic.Shufpd, Mnemonic.Vshufpd)]
    [VectorInstruction(VectorOp.Unpcklps, Mnemonic.Unpcklps, Mnemonic.Vunpcklps)]
    [VectorInstruction(VectorOp.Unpcklpd, Mnemonic.Unpcklpd, Mnemonic.Vunpcklpd)]
    [VectorInstruction(VectorOp.Unpckhps, Mnemonic.Unpckhps, Mnemonic.Vunpckhps)]
    [VectorInstruction(VectorOp.Unpckhpd, Mnemonic.Unpckhpd, Mnemonic.Vunpckhpd)]
    [VectorInstruction(VectorOp.Movhlps, Mnemonic.Movhlps, Mnemonic.Vmovhlps)]
    [VectorInstruction(VectorOp.Movlhps, Mnemonic.Movlhps, Mnemonic.Vmovlhps)]
    [VectorInstruction(VectorOp.Cvtss2sd, Mnemonic.Cvtss2sd, Mnemonic.Vcvtss2sd)]
    [VectorInstruction(VectorOp.Cvtsd2ss, Mnemonic.Cvtsd2ss, Mnemonic.Vcvtsd2ss)]
    [VectorInstruction(VectorOp.Punpcklbw, Mnemonic.Punpcklbw, Mnemonic.Vpunpcklbw)]
    [VectorInstruction(VectorOp.Punpcklwd, Mnemonic.Punpcklwd, Mnemonic.Vpunpcklwd)]
    [VectorInstruction(VectorOp.Punpckldq, Mnemonic.Punpckldq, Mnemonic.Vpunpckldq)]
    [VectorInstruction(VectorOp.Packsswb, Mnemonic.Packsswb, Mnemonic.Vpacksswb)]
    [VectorInstruction(VectorOp.Pcmpgtb, Mnemonic.Pcmpgtb, Mnemonic.Vpcmpgtb)]
    [VectorInstruction(VectorOp.Pcmpgtw, Mnemonic.Pcmpgtw, Mnemonic.Vpcmpgtw)]
    [VectorInstruction(VectorOp.Pcmpgtd, Mnemonic.Pcmpgtd, Mnemonic.Vpcmpgtd)]
    [VectorInstruction(VectorOp.Packuswb, Mnemonic.Packuswb, Mnemonic.Vpackuswb)]
    [VectorInstruction(VectorOp.Punpckhbw, Mnemonic.Punpckhbw, Mnemonic.Vpunpckhbw)]
    [VectorInstruction(VectorOp.Punpckhwd, Mnemonic.Punpckhwd, Mnemonic.Vpunpckhwd)]
    [VectorInstruction(VectorOp.Punpckhdq, Mnemonic.Punpckhdq, Mnemonic.Vpunpckhdq)]
    [VectorInstruction(VectorOp.Packssdw, Mnemonic.Packssdw, Mnemonic.Vpackssdw)]
    [VectorInstruction(VectorOp.Punpcklqdq, Mnemonic.Punpcklqdq, Mnemonic.Vpunpcklqdq)]
    [VectorInstruction(VectorOp.Punpckhqdq, Mnemonic.Punpckhqdq, Mnemonic.Vpunpckhqdq)]
    [VectorInstruction(VectorOp.Pcmpeqb, Mnemonic.Pcmpeqb, Mnemonic.Vpcmpeqb)]
    [VectorInstruction(VectorOp.Pcmpeqw, Mnemonic.Pcmpeqw, Mnemonic.Vpcmpeqw)]
    [VectorInstruction(VectorOp.Pcmpeqd, Mnemonic.Pcmpeqd, Mnemonic.Vpcmpeqd)]
    [VectorInstruction(VectorOp.Paddq, Mnemonic.Paddq, Mnemonic.Vpaddq)]
    [VectorInstruction(VectorOp.Pmullw, Mnemonic.Pmullw, Mnemonic.Vpmullw)]
    [VectorInstruction(VectorOp.Psubusb, Mnemonic.Psubusb, Mnemonic.Vpsubusb)]
    [VectorInstruction(VectorOp.Psubusw, Mnemonic.Psubusw, Mnemonic.Vpsubusw)]
    [VectorInstruction(VectorOp.Pminub, Mnemonic.Pminub, Mnemonic.Vpminub)]
    [VectorInstruction(VectorOp.Pand, Mnemonic.Pand, Mnemonic.Vpand)]
    [VectorInstruction(VectorOp.Paddusb, Mnemonic.Paddusb, Mnemonic.Vpaddusb)]
    [VectorInstruction(VectorOp.Paddusw, Mnemonic.Paddusw, Mnemonic.Vpaddusw)]
    [VectorInstruction(VectorOp.Pmaxub, Mnemonic.Pmaxub, Mnemonic.Vpmaxub)]
    [VectorInstruction(VectorOp.Pandn, Mnemonic.Pandn, Mnemonic.Vpandn)]
    [VectorInstruction(VectorOp.Pavgb, Mnemonic.Pavgb, Mnemonic.Vpavgb)]
    [VectorInstruction(VectorOp.Pavgw, Mnemonic.Pavgw, Mnemonic.Vpavgw)]
    [VectorInstruction(VectorOp.Pmulhuw, Mnemonic.Pmulhuw, Mnemonic.Vpmulhuw)]
    [VectorInstruction(VectorOp.Pmulhw, Mnemonic.Pmulhw, Mnemonic.Vpmulhw)]
    [VectorInstruction(VectorOp.Psubsb, Mnemonic.Psubsb, Mnemonic.Vpsubsb)]
    [VectorInstruction(VectorOp.Psubsw, Mnemonic.Psubsw, Mnemonic.Vpsubsw)]
    [VectorInstruction(VectorOp.Pminsw, Mnemonic.Pminsw, Mnemonic.Vpminsw)]
    [VectorInstruction(VectorOp.Por, Mnemonic.Por, Mnemonic.Vpor)]
    [VectorInstruction(VectorOp.Paddsb, Mnemonic.Paddsb, Mnemonic.Vpaddsb)]
    [VectorInstruction(VectorOp.Paddsw, Mnemonic.Paddsw, Mnemonic.Vpaddsw)]
    [VectorInstruction(VectorOp.Pmaxsw, Mnemonic.Pmaxsw, Mnemonic.Vpmaxsw)]
    [VectorInstruction(VectorOp.Pxor, Mnemonic.Pxor, Mnemonic.Vpxor)]
    [VectorInstruction(VectorOp.Pmuludq, Mnemonic.Pmuludq, Mnemonic.Vpmuludq)]
    [VectorInstruction(VectorOp.Pmaddwd, Mnemonic.Pmaddwd, Mnemonic.Vpmaddwd)]
    [VectorInstruction(VectorOp.Psadbw, Mnemonic.Psadbw, Mnemonic.Vpsadbw)]
    [VectorInstruction(VectorOp.Psubb, Mnemonic.Psubb, Mnemonic.Vpsubb)]
    [VectorInstruction(VectorOp.Psubw, Mnemonic.Psubw, Mnemonic.Vpsubw)]
    [VectorInstruction(VectorOp.Psubd, Mnemonic.Psubd, Mnemonic.Vpsubd)]
    [VectorInstruction(VectorOp.Psubq, Mnemonic.Psubq, Mnemonic.Vpsubq)]
    [VectorInstruction(VectorOp.Paddb, Mnemonic.Paddb, Mnemonic.Vpaddb)]
    [VectorInstruction(VectorOp.Paddw, Mnemonic.Paddw, Mnemonic.Vpaddw)]
    [VectorInstruction(VectorOp.Paddd, Mnemonic.Paddd, Mnemonic.Vpaddd)]
    [VectorInstruction(VectorOp.Haddpd, Mnemonic.Haddpd, Mnemonic.Vhaddpd)]
    [VectorInstruction(VectorOp.Haddps, Mnemonic.Haddps, Mnemonic.Vhaddps)]
    [VectorInstruction(VectorOp.Hsubpd, Mnemonic.Hsubpd, Mnemonic.Vhsubpd)]
    [VectorInstruction(VectorOp.Hsubps, Mnemonic.Hsubps, Mnemonic.Vhsubps)]
    [VectorInstruction(VectorOp.Addsubpd, Mnemonic.Addsubpd, Mnemonic.Vaddsubpd)]
    [VectorInstruction(VectorOp.Addsubps, Mnemonic.Addsubps, Mnemonic.Vaddsubps)]
    [VectorInstruction(VectorOp.Pshufb, Mnemonic.Pshufb, Mnemonic.Vpshufb)]
    [VectorInstruction(VectorOp.Phaddw, Mnemonic.Phaddw, Mnemonic.Vphaddw)]
    [VectorInstruction(VectorOp.Phaddd, Mnemonic.Phaddd, Mnemonic.Vphaddd)]
    [VectorInstruction(VectorOp.Phaddsw, Mnemonic.Phaddsw, Mnemonic.Vphaddsw)]
    [VectorInstruction(VectorOp.Pmaddubsw, Mnemonic.Pmaddubsw, Mnemonic.Vpmaddubsw)]
    [VectorInstruction(VectorOp.Phsubw, Mnemonic.Phsubw, Mnemonic.Vphsubw)]
    [VectorInstruction(VectorOp.Phsubd, Mnemonic.Phsubd, Mnemonic.Vphsubd)]
    [VectorInstruction(VectorOp.Phsubsw, Mnemonic.Phsubsw, Mnemonic.Vphsubsw)]
    [VectorInstruction(VectorOp.Psignb, Mnemonic.Psignb, Mnemonic.Vpsignb)]
    [VectorInstruction(VectorOp.Psignw, Mnemonic.Psignw, Mnemonic.Vpsignw)]
    [VectorInstruction(VectorOp.Psignd, Mnemonic.Psignd, Mnemonic.Vpsignd)]
    [VectorInstruction(VectorOp.Pmulhrsw, Mnemonic.Pmulhrsw, Mnemonic.Vpmulhrsw)]
    [VectorInstruction(VectorOp.Palignr, Mnemonic.Palignr, Mnemonic.Vpalignr)]
    [VectorInstruction(VectorOp.Pmuldq, Mnemonic.Pmuldq, Mnemonic.Vpmuldq)]
    [VectorInstruction(VectorOp.Pcmpeqq, Mnemonic.Pcmpeqq, Mnemonic.Vpcmpeqq)]
    [VectorInstruction(VectorOp.Packusdw, Mnemonic.Packusdw, Mnemonic.Vpackusdw)]
    [VectorInstruction(VectorOp.Pminsb, Mnemonic.Pminsb, Mnemonic.Vpminsb)]
    [VectorInstruction(VectorOp.Pminsd, Mnemonic.Pminsd, Mnemonic.Vpminsd)]
    [VectorInstruction(VectorOp.Pminuw, Mnemonic.Pminuw, Mnemonic.Vpminuw)]
    [VectorInstruction(VectorOp.Pminud, Mnemonic.Pminud, Mnemonic.Vpminud)]
    [VectorInstruction(VectorOp.Pmaxsb, Mnemonic.Pmaxsb, Mnemonic.Vpmaxsb)]
    [VectorInstruction(VectorOp.Pmaxsd, Mnemonic.Pmaxsd, Mnemonic.Vpmaxsd)]
    [VectorInstruction(VectorOp.Pmaxuw, Mnemonic.Pmaxuw, Mnemonic.Vpmaxuw)]
    [VectorInstruction(VectorOp.Pmaxud, Mnemonic.Pmaxud, Mnemonic.Vpmaxud)]
    [VectorInstruction(VectorOp.Pmulld, Mnemonic.Pmulld, Mnemonic.Vpmulld)]
    [VectorInstruction(VectorOp.Roundss, Mnemonic.Roundss, Mnemonic.Vroundss)]
    [VectorInstruction(VectorOp.Roundsd, Mnemonic.Roundsd, Mnemonic.Vroundsd)]
    [VectorInstruction(VectorOp.Blendps, Mnemonic.Blendps, Mnemonic.Vblendps)]
    [VectorInstruction(VectorOp.Blendpd, Mnemonic.Blendpd, Mnemonic.Vblendpd)]
    [VectorInstruction(VectorOp.Pblendw, Mnemonic.Pblendw, Mnemonic.Vpblendw)]
    [VectorInstruction(VectorOp.Dpps, Mnemonic.Dpps, Mnemonic.Vdpps)]
    [VectorInstruction(VectorOp.Dppd, Mnemonic.Dppd, Mnemonic.Vdppd)]
    [VectorInstruction(VectorOp.Mpsadbw, Mnemonic.Mpsadbw, Mnemonic.Vmpsadbw)]
    [VectorInstruction(VectorOp.Pcmpgtq, Mnemonic.Pcmpgtq, Mnemonic.Vpcmpgtq)]
    [VectorInstruction(VectorOp.Aesenc, Mnemonic.Aesenc, Mnemonic.Vaesenc)]
    [VectorInstruction(VectorOp.Aesenclast, Mnemonic.Aesenclast, Mnemonic.Vaesenclast)]
    [VectorInstruction(VectorOp.Aesdec, Mnemonic.Aesdec, Mnemonic.Vaesdec)]
    [VectorInstruction(VectorOp.Aesdeclast, Mnemonic.Aesdeclast, Mnemonic.Vaesdeclast)]
    [VectorInstruction(VectorOp.Pclmulqdq, Mnemonic.Pclmulqdq, Mnemonic.Vpclmulqdq)]
    [VectorInstruction(VectorOp.Sha1nexte, Mnemonic.Sha1nexte)]
    [VectorInstruction(VectorOp.Sha1msg1, Mnemonic.Sha1msg1)]
    [VectorInstruction(VectorOp.Sha1msg2, Mnemonic.Sha1msg2)]
    [VectorInstruction(VectorOp.Sha256msg1, Mnemonic.Sha256msg1)]
    [VectorInstruction(VectorOp.Sha256msg2, Mnemonic.Sha256msg2)]
    [VectorInstruction(VectorOp.Sha1rnds4, Mnemonic.Sha1rnds4)]
    [VectorInstruction(VectorOp.Gf2p8mulb, Mnemonic.Gf2p8mulb, Mnemonic.Vgf2p8mulb)]
    [VectorInstruction(VectorOp.Gf2p8affineqb, Mnemonic.Gf2p8affineqb, Mnemonic.Vgf2p8affineqb)]
    [VectorInstruction(VectorOp.Gf2p8affineinvqb, Mnemonic.Gf2p8affineinvqb, Mnemonic.Vgf2p8affineinvqb)]
    [VectorInstruction(VectorOp.Pblendd, Mnemonic.Vpblendd)]
    [VectorInstruction(VectorOp.Psrlvd, Mnemonic.Vpsrlvd)]
    [VectorInstruction(VectorOp.Psrlvq, Mnemonic.Vpsrlvq)]
    [VectorInstruction(VectorOp.Psravd, Mnemonic.Vpsravd)]
    [VectorInstruction(VectorOp.Psllvd, Mnemonic.Vpsllvd)]
    [VectorInstruction(VectorOp.Psllvq, Mnemonic.Vpsllvq)]
    public static void Binary(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn))
            Binary(ref ops, in insn, X86Table.Operation(insn.Mnemonic), (byte)insn.Immediate);
    }

    private static void Binary(ref TOps ops, in Insn insn, VectorOp op, byte imm)
    {
        Operand source = insn.IsVex ? insn.Op2 : insn.Op1;
        int first = insn.IsVex ? insn.Op1.Register : insn.Op0.Register;
        if (insn.Is256)
        {
            if (!Read(ref ops, in insn, source, out V low, out V high))
                return;
            low = ops.Vector(op, Xmm(ref ops, first), low, imm);
            high = ops.Vector(op, High(ref ops, first), high, op.HighImmediate(imm));
            if (!op.IsFloat() || ops.RaiseSimd())
                SetYmm(ref ops, insn.Op0.Register, low, high);
        }
        else if (Read(ref ops, in insn, source, out V b))
        {
            V result = ops.Vector(op, Xmm(ref ops, first), b, imm);
            if (!op.IsFloat() || ops.RaiseSimd())
                SetXmm(ref ops, in insn, insn.Op0.Register, result);
        }
    }
}
