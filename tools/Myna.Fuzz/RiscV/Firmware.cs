using Myna.Cpu.RiscV.Instructions;

namespace Myna.Fuzz.RiscV;

/// <summary>
/// What runs in M-mode around a program: a prologue that loads every register and enters the program, and a trap handler
/// that logs the trap, steps over the instruction and goes on.
/// </summary>
internal static class Firmware
{
    private const int T4 = 29, T5 = 30, T6 = 31;
    private const int Mstatus = 0x300, Mie = 0x304, Mscratch = 0x340, Mepc = 0x341, Mcause = 0x342, Mtval = 0x343;

    /// <summary>CSRs that the prologue sets, in this order (mcountinhibit before the counters, mstatus last of all); their values lie behind those of the registers.</summary>
    public static readonly int[] InitialCsrs =
        [0x003, 0x180, Mepc, Mie, 0x30A, 0x10A, 0x306, 0x106, 0x3B0, 0x3B1, 0x3B2, 0x3A0, 0x305, Mscratch, 0x105, 0x302, 0x303, 0x320, 0xB00, 0xB02, Mstatus];

    /// <summary>Where a value lies in the initial block, in bytes.</summary>
    public static int SlotX(int register) => register * 8;
    public static int SlotF(int register) => (32 + register) * 8;
    public static int SlotCsr(int csr) => (64 + Array.IndexOf(InitialCsrs, csr)) * 8;

    /// <summary>Byte offset of a count in the save area: how much of the log is used, modulo its size.</summary>
    public const int Used = 16;

    /// <summary>Byte offset of the address of the program's end in the save area.</summary>
    public const int EndSlot = 24;
    
    /// <summary>Byte offset of the log in the save area: cause, epc, tval and status of each trap.</summary>
    public const int Log = 1024;
    private const int LogMask = 0x7E0;

    public static uint[] Code { get; }
    public static int HandlerOffset { get; }

    /// <summary>Where the handler ends up when the program is over or cannot go on.</summary>
    public static int HaltedOffset { get; }

    /// <summary>Instructions until the program's first.</summary>
    public static int PrologueLength { get; }

    static Firmware()
    {
        var a = new Assembler();
        a.Emit(Opcode.Auipc, T6, imm: Layout.Initial);
        // For fcsr and the F registers mstatus.FS must not be off yet.
        a.Emit(Opcode.Lui, T5, imm: 0x6000);
        a.Emit(Opcode.Csrrs, 0, T5, imm: Mstatus);
        for (int i = 0; i < 32; i++)
            a.Emit(Opcode.Fld, i, T6, imm: SlotF(i));
        foreach (int csr in InitialCsrs)
        {
            a.Emit(Opcode.Ld, T5, T6, imm: SlotCsr(csr));
            a.Emit(Opcode.Csrrw, 0, T5, imm: csr);
        }
        for (int i = 1; i < 32; i++)
            a.Emit(Opcode.Ld, i, T6, imm: SlotX(i));
        a.Label("enter");
        a.Emit(Opcode.Mret);

        a.Label("handler");
        a.Emit(Opcode.Csrrw, T6, T6, imm: Mscratch);
        a.Emit(Opcode.Sd, 0, T6, T5, 0);
        a.Emit(Opcode.Sd, 0, T6, T4, 8);
        a.Emit(Opcode.Ld, T5, T6, imm: Used);
        a.Emit(Opcode.Addi, T4, T5, imm: 32);
        a.Emit(Opcode.Andi, T4, T4, imm: LogMask);
        a.Emit(Opcode.Sd, 0, T6, T4, Used);
        a.Emit(Opcode.Add, T5, T5, T6);
        int offset = Log;
        foreach (int csr in (int[])[Mcause, Mepc, Mtval, Mstatus])
        {
            a.Emit(Opcode.Csrrs, T4, 0, imm: csr);
            a.Emit(Opcode.Sd, 0, T5, T4, offset);
            offset += 8;
        }
        a.Emit(Opcode.Csrrs, T4, 0, imm: Mcause);
        // Interrupts: not again, and nothing to step over.
        a.Emit(Opcode.Bge, 0, T4, 0, target: "exception");
        a.Emit(Opcode.Csrrw, 0, 0, imm: Mie);
        a.Emit(Opcode.Jal, target: "return");
        a.Label("exception");
        // A fetch that failed: causes 0, 1, 12.
        a.Emit(Opcode.Sltiu, T5, T4, imm: 2);
        a.Emit(Opcode.Bne, 0, T5, 0, target: "halt");
        a.Emit(Opcode.Addi, T5, T4, imm: -12);
        a.Emit(Opcode.Beq, 0, T5, 0, target: "halt");
        a.Emit(Opcode.Csrrs, T5, 0, imm: Mepc);
        a.Emit(Opcode.Ld, T4, T6, imm: EndSlot);
        a.Emit(Opcode.Beq, 0, T4, T5, target: "halt");
        a.Emit(Opcode.Lhu, T4, T5, imm: 0);
        a.Emit(Opcode.Andi, T4, T4, imm: 3);
        a.Emit(Opcode.Addi, T4, T4, imm: -3);
        a.Emit(Opcode.Addi, T5, T5, imm: 2);
        a.Emit(Opcode.Bne, 0, T4, 0, target: "short");
        a.Emit(Opcode.Addi, T5, T5, imm: 2);
        a.Label("short");
        a.Emit(Opcode.Csrrw, 0, T5, imm: Mepc);
        a.Label("return");
        a.Emit(Opcode.Ld, T4, T6, imm: 8);
        a.Emit(Opcode.Ld, T5, T6, imm: 0);
        a.Emit(Opcode.Csrrw, T6, T6, imm: Mscratch);
        a.Emit(Opcode.Mret);
        a.Label("halt");
        a.Emit(Opcode.Lui, T5, imm: (int)Layout.Finisher);
        a.Emit(Opcode.Sw, 0, T5, T5);
        a.Label("halted");
        a.Emit(Opcode.Jal, target: "halted");
        Code = a.Assemble();
        PrologueLength = a.OffsetOf("enter") / 4 + 1;
        HandlerOffset = a.OffsetOf("handler");
        HaltedOffset = a.OffsetOf("halted");
    }
}
