using System.Runtime.CompilerServices;

namespace Myna.Jit.X64;

/// <summary>Host general registers by number.</summary>
internal static class Reg
{
    public const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7,
        R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15, None = -1;
}

/// <summary>Condition codes as in Jcc, SETcc, CMOVcc (Intel SDM volume 2, appendix B.1.4.7).</summary>
internal enum CC { O, NO, B, AE, E, NE, BE, A, S, NS, P, NP, L, GE, LE, G }

/// <summary>A memory operand: base + index × 2^scale + displacement.</summary>
internal readonly struct Mem(int @base, int disp, int index = Reg.None, int scale = 0)
{
    public readonly int Base = @base, Disp = disp, Index = index, Scale = scale;
}

/// <summary>Writes x86-64 instructions as bytes. One instance writes the hot, another the cold code of a block.</summary>
internal sealed unsafe class Assembler
{
    public byte* Start;
    public byte* P;
    public byte* End;

    public int Offset => (int)(P - Start);

    public void Reset(byte* start, byte* end)
    {
        Start = P = start;
        End = end;
    }

    // SAFETY (all writers): the engine leaves room for a whole block before it starts, and blocks are bounded in length.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Byte(int value) => *P++ = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dword(int value)
    {
        *(int*)P = value;
        P += 4;
    }

    public void Qword(ulong value)
    {
        *(ulong*)P = value;
        P += 8;
    }

    // Opcodes: bits 0-7 the byte; bit 8: escape 0F; bits 8 and 9: 0F 38; bit 10: 0F 3A. Bits 16-23: mandatory prefix.
    public const int Esc = 0x100, Esc38 = 0x300, Esc3A = 0x500;
    public const int P66 = 0x660000, PF3 = 0xF30000, PF2 = 0xF20000;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Prefix(int opcode, bool w, int reg, int index, int rm, bool force)
    {
        if (opcode >= 0x10000)
            Byte(opcode >> 16);
        int rex = (w ? 8 : 0) | (reg & 8) >> 1 | (index & 8) >> 2 | (rm & 8) >> 3;
        if (rex != 0 || force)
            Byte(0x40 | rex);
        if ((opcode & 0x700) != 0)
        {
            Byte(0x0F);
            if ((opcode & 0x200) != 0)
                Byte(0x38);
            else if ((opcode & 0x400) != 0)
                Byte(0x3A);
        }
        Byte(opcode);
    }

    /// <summary>opcode reg, rm. <paramref name="force"/>: a REX prefix makes byte registers 4-7 spl..dil.</summary>
    public void RR(int opcode, int reg, int rm, bool w = true, bool force = false)
    {
        Prefix(opcode, w, reg, 0, rm, force);
        Byte(0xC0 | (reg & 7) << 3 | (rm & 7));
    }

    /// <summary>opcode reg, [memory].</summary>
    public void RM(int opcode, int reg, in Mem m, bool w = true, bool force = false)
    {
        Prefix(opcode, w, reg, m.Index < 0 ? 0 : m.Index, m.Base, force);
        ModRm(reg, m);
    }

    private void ModRm(int reg, in Mem m)
    {
        int r = (reg & 7) << 3;
        bool sib = m.Index >= 0 || (m.Base & 7) == Reg.Rsp;
        int low = sib ? 4 : m.Base & 7;
        if (m.Disp == 0 && (m.Base & 7) != Reg.Rbp)
        {
            Byte(r | low);
            if (sib)
                Sib(m);
        }
        else if (m.Disp == (sbyte)m.Disp)
        {
            Byte(0x40 | r | low);
            if (sib)
                Sib(m);
            Byte(m.Disp);
        }
        else
        {
            Byte(0x80 | r | low);
            if (sib)
                Sib(m);
            Dword(m.Disp);
        }
    }

    private void Sib(in Mem m) => Byte(m.Scale << 6 | (m.Index < 0 ? 4 : m.Index & 7) << 3 | (m.Base & 7));

    // Moves.
    public void Mov(int dst, int src)
    {
        if (dst != src)
            RR(0x8B, dst, src);
    }

    public void Mov32(int dst, int src) => RR(0x8B, dst, src, w: false);
    public void Load(int dst, in Mem m) => RM(0x8B, dst, m);
    public void Load32(int dst, in Mem m) => RM(0x8B, dst, m, w: false);
    public void Store(in Mem m, int src) => RM(0x89, src, m);
    public void Store32(in Mem m, int src) => RM(0x89, src, m, w: false);
    public void Lea(int dst, in Mem m, bool w = true) => RM(0x8D, dst, m, w);

    /// <summary>The shortest way to make a constant; leaves the flags alone.</summary>
    public void MovImm(int dst, ulong value)
    {
        if (value <= uint.MaxValue)
        {
            if (dst >= 8)
                Byte(0x41);
            Byte(0xB8 | (dst & 7));
            Dword((int)value);
        }
        else if ((ulong)(int)value == value)
        {
            RR(0xC7, 0, dst);
            Dword((int)value);
        }
        else
        {
            Byte(0x48 | dst >> 3);
            Byte(0xB8 | (dst & 7));
            Qword(value);
        }
    }

    /// <summary>mov qword [m], imm in one or two stores.</summary>
    public void StoreImm(in Mem m, ulong value)
    {
        if ((ulong)(int)value == value)
        {
            RM(0xC7, 0, m);
            Dword((int)value);
        }
        else
        {
            RM(0xC7, 0, m, w: false);
            Dword((int)value);
            RM(0xC7, 0, new Mem(m.Base, m.Disp + 4, m.Index, m.Scale), w: false);
            Dword((int)(value >> 32));
        }
    }

    public void Store32Imm(in Mem m, int value)
    {
        RM(0xC7, 0, m, w: false);
        Dword(value);
    }

    // Arithmetic: n is the operation's number in the 80/81/83 group (ADD OR ADC SBB AND SUB XOR CMP).
    public const int Add = 0, Or = 1, Adc = 2, Sbb = 3, And = 4, Sub = 5, Xor = 6, Cmp = 7;

    public void Alu(int n, int dst, int src, bool w = true) => RR(n << 3 | 3, dst, src, w);
    public void Alu(int n, int dst, in Mem m, bool w = true) => RM(n << 3 | 3, dst, m, w);
    public void AluTo(int n, in Mem m, int src, bool w = true) => RM(n << 3 | 1, src, m, w);

    public void AluImm(int n, int dst, int imm, bool w = true)
    {
        if (imm == (sbyte)imm)
        {
            RR(0x83, n, dst, w);
            Byte(imm);
        }
        else
        {
            RR(0x81, n, dst, w);
            Dword(imm);
        }
    }

    public void AluImm(int n, in Mem m, int imm, bool w = true)
    {
        if (imm == (sbyte)imm)
        {
            RM(0x83, n, m, w);
            Byte(imm);
        }
        else
        {
            RM(0x81, n, m, w);
            Dword(imm);
        }
    }

    public void Test(int a, int b, bool w = true) => RR(0x85, a, b, w);

    // Group C1: 0 rol, 1 ror, 4 shl, 5 shr, 7 sar.
    public void ShiftImm(int n, int dst, int count, bool w = true)
    {
        RR(0xC1, n, dst, w);
        Byte(count);
    }

    /// <summary>0F opcodes with condition.</summary>
    public void SetCC(CC cc, int dst) => RR(Esc | 0x90 | (int)cc, 0, dst, w: false, force: dst >= 4);
    public void CMov(CC cc, int dst, int src) => RR(Esc | 0x40 | (int)cc, dst, src);
    public void CMov(CC cc, int dst, in Mem m) => RM(Esc | 0x40 | (int)cc, dst, m);

    // VEX. pp: 0 none, 1 66, 2 F3, 3 F2; map: 1 0F, 2 0F38, 3 0F3A.
    public void VexRR(int map, int pp, int opcode, int reg, int vvvv, int rm, bool w = false)
    {
        VexPrefix(map, pp, reg, vvvv, 0, rm, w);
        Byte(opcode);
        Byte(0xC0 | (reg & 7) << 3 | (rm & 7));
    }

    public void VexRM(int map, int pp, int opcode, int reg, int vvvv, in Mem m, bool w = false)
    {
        VexPrefix(map, pp, reg, vvvv, m.Index < 0 ? 0 : m.Index, m.Base, w);
        Byte(opcode);
        ModRm(reg, m);
    }

    private void VexPrefix(int map, int pp, int reg, int vvvv, int index, int rm, bool w)
    {
        if (map == 1 && !w && ((index | rm) & 8) == 0)
        {
            Byte(0xC5);
            Byte((~reg & 8) << 4 | (~vvvv & 15) << 3 | pp);
            return;
        }
        Byte(0xC4);
        Byte((~reg & 8) << 4 | (~index & 8) << 3 | (~rm & 8) << 2 | map);
        Byte((w ? 0x80 : 0) | (~vvvv & 15) << 3 | pp);
    }

    public void Rorx(int dst, int src, int count, bool w = true)
    {
        VexRR(3, 3, 0xF0, dst, 0, src, w);
        Byte(count);
    }

    // Control.
    public void Jcc(CC cc, int displacement = 0)
    {
        Byte(0x0F);
        Byte(0x80 | (int)cc);
        Dword(displacement);
    }

    public void Jmp(int displacement = 0)
    {
        Byte(0xE9);
        Dword(displacement);
    }

    public void JmpTo(byte* target)
    {
        Byte(0xE9);
        Dword((int)(target - (P + 4)));
    }

    public void CallReg(int reg) => RR(0xFF, 2, reg, w: false);
    public void JmpMem(in Mem m) => RM(0xFF, 4, m, w: false);
    public void JmpReg(int reg) => RR(0xFF, 4, reg, w: false);

    public void Push(int reg)
    {
        if (reg >= 8)
            Byte(0x41);
        Byte(0x50 | (reg & 7));
    }

    public void Pop(int reg)
    {
        if (reg >= 8)
            Byte(0x41);
        Byte(0x58 | (reg & 7));
    }

    public void Ret() => Byte(0xC3);
    public void Ldmxcsr(in Mem m) => RM(Esc | 0xAE, 2, m, w: false);
    public void Stmxcsr(in Mem m) => RM(Esc | 0xAE, 3, m, w: false);

    /// <summary>Pads with no-operations until (offset + ahead) is a multiple of <paramref name="alignment"/>.</summary>
    public void Align(int alignment, int ahead = 0)
    {
        int rest;
        while ((rest = ((int)(nint)P + ahead) & (alignment - 1)) != 0)
        {
            int n = alignment - rest;
            switch (n)
            {
                case 1: Byte(0x90); break;
                case 2: Byte(0x66); Byte(0x90); break;
                case 3: Byte(0x0F); Byte(0x1F); Byte(0x00); break;
                case 4: Byte(0x0F); Byte(0x1F); Byte(0x40); Byte(0); break;
                case 5: Byte(0x0F); Byte(0x1F); Byte(0x44); Byte(0); Byte(0); break;
                case 6: Byte(0x66); Byte(0x0F); Byte(0x1F); Byte(0x44); Byte(0); Byte(0); break;
                default: Byte(0x0F); Byte(0x1F); Byte(0x80); Dword(0); break;
            }
        }
    }
}
