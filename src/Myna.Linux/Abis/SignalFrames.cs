using System.Buffers.Binary;

namespace Myna.Linux.Abis;

/// <summary>What the signal frames of all ABIs have in common.</summary>
internal static class SignalFrames
{
    /// <summary>The stack pointer below which the frame goes: the alternate stack when the action wants it and it is not in use.</summary>
    public static ulong ChooseStack(ulong sp, in SignalDelivery delivery)
    {
        AlternateStack stack = delivery.Stack;
        bool wanted = (delivery.Action.Flags & Signals.SignalAction.OnStack) != 0 && (stack.Flags & AlternateStack.Disabled) == 0;
        return wanted && !stack.Contains(sp) ? stack.Start + stack.Size : sp;
    }

    /// <summary>stack_t of a 64-bit ABI.</summary>
    public static void WriteStack(Span<byte> to, in AlternateStack stack, ulong sp)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, stack.Start);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], stack.Contains(sp) ? stack.Flags | AlternateStack.OnStack : stack.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], stack.Size);
    }

    /// <summary>stack_t of a 32-bit ABI, of 12 bytes.</summary>
    public static void WriteNarrowStack(Span<byte> to, in AlternateStack stack, ulong sp)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, (uint)stack.Start);
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], stack.Contains(sp) ? stack.Flags | AlternateStack.OnStack : stack.Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], (uint)stack.Size);
    }

    /// <inheritdoc cref="WriteNarrowStack"/>
    public static AlternateStack ReadNarrowStack(ReadOnlySpan<byte> from) => new()
    {
        Start = BinaryPrimitives.ReadUInt32LittleEndian(from),
        Flags = BinaryPrimitives.ReadInt32LittleEndian(from[4..]) & ~AlternateStack.OnStack,
        Size = BinaryPrimitives.ReadUInt32LittleEndian(from[8..]),
    };

    /// <inheritdoc cref="WriteStack"/>
    public static AlternateStack ReadStack(ReadOnlySpan<byte> from) => new()
    {
        Start = BinaryPrimitives.ReadUInt64LittleEndian(from),
        Flags = BinaryPrimitives.ReadInt32LittleEndian(from[8..]) & ~AlternateStack.OnStack,
        Size = BinaryPrimitives.ReadUInt64LittleEndian(from[16..]),
    };
}
