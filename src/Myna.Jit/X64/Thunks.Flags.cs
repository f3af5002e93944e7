using Myna.Jit.Engine;

namespace Myna.Jit.X64;

/// <summary>
/// The arithmetic flags from the lazy slots: the host executes the operation that set them again, at its width, and says what flags that gave.
/// </summary>
internal sealed unsafe partial class Thunks
{
    private const int CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800, AllFlags = CF | PF | AF | ZF | SF | OF;

    // As the thunk that calls C#, to which it goes for what is not done here: the result is in Context(64), no register changes.
    private byte* FlagRoutine(LazyFlagSlots slots, byte* fallback)
    {
        Assembler a = _a;
        byte* done = Here();
        a.Store(Context(64), Reg.Rax);
        a.Pop(Reg.Rdx);
        a.Pop(Reg.Rcx);
        a.Pop(Reg.Rax);
        a.Ret();
        byte* callback = Here();
        a.Pop(Reg.Rdx);
        a.Pop(Reg.Rcx);
        a.Pop(Reg.Rax);
        a.JmpTo(fallback);

        int entries = slots.Sources.Length * 4;
        nint[] targets = new nint[entries];
        for (int op = 0; op < entries; op++)
            targets[op] = slots.Sources[op >> 2] == FlagSource.Callback ? (nint)callback : (nint)FlagsOf(slots, slots.Sources[op >> 2], op & 3, done);
        byte* table = Here();
        foreach (nint target in targets)
            a.Qword((ulong)target);

        byte* start = Here();
        a.Push(Reg.Rax);
        a.Push(Reg.Rcx);
        a.Push(Reg.Rdx);
        a.Load(Reg.Rcx, Slot(slots.Op));
        a.AluImm(Assembler.Cmp, Reg.Rcx, entries);
        a.Jcc(CC.AE);
        // SAFETY: the displacement just written.
        *(int*)(a.P - 4) = (int)(callback - a.P);
        a.MovImm(Reg.Rdx, (ulong)table);
        a.JmpMem(new Mem(Reg.Rdx, 0, Reg.Rcx, 3));
        return start;
    }

    private static Mem Slot(int offset) => new(Reg.Rbp, offset - 128);

    private byte* FlagsOf(LazyFlagSlots slots, FlagSource source, int width, byte* done)
    {
        byte* start = Here();
        Assembler a = _a;
        int kept = AllFlags;
        switch (source)
        {
            case FlagSource.Result:
                a.Load(Reg.Rax, Slot(slots.R));
                a.AluImm(Assembler.And, Reg.Rax, kept, w: false);
                a.JmpTo(done);
                return start;
            case FlagSource.Test or FlagSource.Product or FlagSource.Parts:
                // AF is undefined.
                kept = ZF | SF | PF;
                a.Load(Reg.Rax, Slot(slots.R));
                a.Mov(Reg.Rcx, Reg.Rax);
                Operate(0x84, width);
                break;
            case FlagSource.Add:
                a.Load(Reg.Rax, Slot(slots.A));
                a.Load(Reg.Rcx, Slot(slots.R));
                a.Alu(Assembler.Sub, Reg.Rcx, Reg.Rax);
                Operate(0x00, width);
                break;
            case FlagSource.Subtract:
                a.Load(Reg.Rax, Slot(slots.A));
                a.Load(Reg.Rcx, Slot(slots.B));
                Operate(0x28, width);
                break;
            case FlagSource.Difference:
                a.Load(Reg.Rcx, Slot(slots.B));
                a.Load(Reg.Rax, Slot(slots.R));
                a.Alu(Assembler.Add, Reg.Rax, Reg.Rcx);
                Operate(0x28, width);
                break;
            case FlagSource.AddCarry or FlagSource.SubtractBorrow:
                bool add = source == FlagSource.AddCarry;
                a.Load(Reg.Rax, Slot(slots.A));
                a.Load(Reg.Rcx, Slot(slots.B));
                a.Load(Reg.Rdx, Slot(slots.R));
                // The lowest bit of A, B and R together is the carry in.
                a.Alu(Assembler.Xor, Reg.Rdx, Reg.Rax);
                a.Alu(Assembler.Xor, Reg.Rdx, Reg.Rcx);
                CarryFrom(Reg.Rdx);
                Operate(add ? 0x10 : 0x18, width);
                break;
            case FlagSource.Increment or FlagSource.Decrement:
                bool up = source == FlagSource.Increment;
                a.Load(Reg.Rax, Slot(slots.R));
                a.AluImm(Assembler.Add, Reg.Rax, up ? -1 : 1);
                a.Load(Reg.Rdx, Slot(slots.B));
                CarryFrom(Reg.Rdx);
                OperateAlone(0xFE, up ? 0 : 1, width);
                break;
        }
        // PUSHF.
        a.Byte(0x9C);
        a.Pop(Reg.Rax);
        a.AluImm(Assembler.And, Reg.Rax, kept, w: false);
        if (source == FlagSource.Product)
        {
            a.AluImm(Assembler.Cmp, Slot(slots.B), 0);
            a.Lea(Reg.Rcx, new Mem(Reg.Rax, CF | OF));
            a.CMov(CC.NE, Reg.Rax, Reg.Rcx);
        }
        else if (source == FlagSource.Parts)
        {
            a.Load(Reg.Rcx, Slot(slots.B));
            a.AluImm(Assembler.And, Reg.Rcx, CF | OF, w: false);
            a.Alu(Assembler.Or, Reg.Rax, Reg.Rcx, w: false);
            a.Load(Reg.Rcx, Slot(slots.A));
            a.AluImm(Assembler.And, Reg.Rcx, AF, w: false);
            a.Alu(Assembler.Or, Reg.Rax, Reg.Rcx, w: false);
        }
        a.JmpTo(done);
        return start;
    }

    // CF is bit 0 of the register: BT r, 0.
    private void CarryFrom(int reg)
    {
        _a.RR(Assembler.Esc | 0xBA, 4, reg, w: false);
        _a.Byte(0);
    }

    // An operation of rax and rcx; its opcode is that for bytes.
    private void Operate(int opcode, int width) => OperateWith(opcode, Reg.Rcx, width);

    private void OperateAlone(int opcode, int extension, int width) => OperateWith(opcode, extension, width);

    private void OperateWith(int opcode, int reg, int width)
    {
        if (width == 1)
            _a.Byte(0x66);
        _a.RR(width == 0 ? opcode : opcode | 1, reg, Reg.Rax, w: width == 3);
    }
}
