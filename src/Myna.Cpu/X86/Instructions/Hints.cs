using Iced.Intel;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Prefetches: they fault on nothing and change nothing (Intel SDM volume 2, PREFETCHh, PREFETCHW).</summary>
internal static class Hints<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Prefetch, Mnemonic.Prefetchw, Mnemonic.Prefetchwt1, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2)]
    public static void Prefetch(ref TOps ops, in Insn insn)
    {
    }
}
