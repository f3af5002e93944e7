namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zihintpause: PAUSE, in an encoding of FENCE.</summary>
[Extension(Extension.Zihintpause)]
public static class PauseHint<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0000 0001 0000 00000 000 00000 0001111", "pause")]
    public static void Pause(ref TOps ops, in Fields f)
        => ops.Pause();
}
