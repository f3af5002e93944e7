using Iced.Intel;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Instructions that do next to nothing (Intel SDM volume 2).</summary>
internal static class Miscellaneous<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Nop, Mnemonic.Pause, Mnemonic.Reservednop, Mnemonic.Endbr32, Mnemonic.Endbr64)]
    public static void Nop(ref TOps ops, in Insn insn)
    {
    }
}
