using Iced.Intel;
using Myna.Cpu.X86.Instructions;

namespace Myna.Cpu.X86.Decoding;

/// <summary>Iced's registers as operands.</summary>
internal static class RegisterTable
{
    private static readonly Operand[] s_operands = Build();

    public static Operand Get(Register register) => s_operands[(int)register];

    private static Operand[] Build()
    {
        var table = new Operand[Enum.GetValues<Register>().Cast<int>().Max() + 1];
        void Add(Register first, int count, OperandKind kind, int size)
        {
            for (int i = 0; i < count; i++)
                table[(int)first + i] = new Operand(kind, (byte)i, (byte)size);
        }
        Add(Register.AL, 4, OperandKind.Gpr, 1);
        Add(Register.AH, 4, OperandKind.GprHigh, 1);
        for (int i = 4; i < 16; i++)
            table[(int)Register.SPL + i - 4] = new Operand(OperandKind.Gpr, (byte)i, 1);
        Add(Register.AX, 16, OperandKind.Gpr, 2);
        Add(Register.EAX, 16, OperandKind.Gpr, 4);
        Add(Register.RAX, 16, OperandKind.Gpr, 8);
        Add(Register.ES, 6, OperandKind.Segment, 2);
        Add(Register.XMM0, 32, OperandKind.Xmm, 16);
        Add(Register.YMM0, 32, OperandKind.Ymm, 32);
        Add(Register.MM0, 8, OperandKind.Mmx, 8);
        Add(Register.ST0, 8, OperandKind.St, 10);
        Add(Register.CR0, 16, OperandKind.Control, 8);
        Add(Register.DR0, 16, OperandKind.Debug, 8);
        return table;
    }
}
