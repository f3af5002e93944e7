using System.Buffers.Binary;

namespace Myna.Host.User;

/// <summary>
/// A guest thread's place for the signal that came last, at the bottom of the alternate stack that handlers run on: that is
/// how a handler knows the thread. While a signal waits here the thread's mask blocks all others.
/// </summary>
public sealed unsafe class SignalSlot : IDisposable
{
    private const int Size = 0x10000, Slots = 8192, HeaderSize = 4096, Remembered = 256;
    private const int SS_DISABLE = 2, MINIMUM = 0x1000;
    private const long Sigaltstack = 131;

    // Layout of a slot; NativeStubs.s knows it too.
    private const int ExitRequestAt = 0, PendingAt = 8, WantedAt = 12, InfoAt = 16, StateAt = 192, HeldAt = 204;

    /// <summary>Bytes of siginfo_t.</summary>
    public const int InfoSize = 128;

    [ThreadStatic] private static SignalSlot? t_current;
    private static readonly Lock s_lock = new();
    private static readonly Stack<int> s_free = new();
    private static readonly List<SignalSlot> s_attached = [];
    /// <summary>Threads that have given their slot back, and may still be busy with their own end inside the runtime.</summary>
    private static readonly List<int> s_ending = [];
    private static byte* s_arena;
    private static int s_used;

    private readonly int _index;
    private readonly byte* _slot;
    private StackDescription _old;

    private struct StackDescription
    {
        public ulong Start;
        public int Flags;
        public ulong Size;
    }

    private SignalSlot(int index)
    {
        _index = index;
        _slot = s_arena + ((long)index * Size);
    }

    /// <summary>The calling thread's.</summary>
    public static SignalSlot? Current => t_current;

    /// <summary>Gives the calling thread a slot.</summary>
    /// <param name="exitRequest">Address of a flag word in which the handler sets bit 6.</param>
    /// <exception cref="IOException">The host has no more memory, or there are too many threads.</exception>
    public static SignalSlot Attach(nint exitRequest)
    {
        SignalSlot slot;
        lock (s_lock)
        {
            if (s_arena == null)
                Reserve();
            if (!s_free.TryPop(out int index))
                index = s_used < Slots ? s_used++ : throw new IOException("too many threads");
            slot = new SignalSlot(index);
            new Span<byte>(slot._slot, HeaderSize).Clear();
            s_attached.Add(slot);
        }
        // SAFETY: the slot lies in the arena and belongs to this thread.
        *(nint*)(slot._slot + ExitRequestAt) = exitRequest;
        var stack = new StackDescription { Start = (ulong)slot._slot + HeaderSize, Size = Size - HeaderSize };
        StackDescription old;
        if (HostCalls.Plain(Sigaltstack, (long)&stack, (long)&old) != 0)
            throw new IOException("cannot set the alternate signal stack");
        slot._old = old;
        t_current = slot;
        return slot;
    }

    private static void Reserve()
    {
        // Aligned, so that a stack pointer's upper bits name the slot.
        nuint length = (nuint)Size * (Slots + 1);
        // SAFETY: a fresh mapping.
        void* p = Libc.mmap(null, length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if (p == Libc.MAP_FAILED)
            throw Libc.Error("cannot reserve signal stacks");
        s_arena = (byte*)(((nuint)p + Size - 1) & ~(nuint)(Size - 1));
        NativeStubs.Data(NativeStubs.ArenaStart) = (ulong)s_arena;
        NativeStubs.Data(NativeStubs.ArenaEnd) = (ulong)s_arena + ((ulong)Size * Slots);
    }

    /// <summary>1 while the thread is not in C#, see <see cref="ForkGate"/>.</summary>
    internal ref int State => ref *(int*)(_slot + StateAt);

    /// <summary>Address of the word that machine code sets to 1 before it leaves C# alone, and to 0 behind the gate of forks.</summary>
    public nint StateAddress => (nint)(_slot + StateAt);

    internal bool IsAttached { get; private set; } = true;

    internal static SignalSlot[] All()
    {
        lock (s_lock)
            return [.. s_attached];
    }

    /// <summary>In a forked child: the other threads are gone.</summary>
    public void KeepOnly()
    {
        s_attached.Clear();
        s_attached.Add(this);
        s_ending.Clear();
        FinalizerThread.Forget();
    }

    /// <summary>Waits until all threads that have given their slots back are gone.</summary>
    internal static void WaitForEnds()
    {
        int[] ending;
        lock (s_lock)
        {
            ending = [.. s_ending];
            s_ending.Clear();
        }
        foreach (int thread in ending)
        {
            while (Exists(thread))
                _ = HostCalls.Plain(24);
        }
    }

    // The process's first thread remains visible until the process ends.
    private static bool Exists(int thread)
    {
        const long Getpid = 39, Tgkill = 234;
        long process = HostCalls.Plain(Getpid);
        return thread != process && HostCalls.Plain(Tgkill, process, thread, 0) == 0;
    }

    // Debugging.

    /// <summary>Whether the thread executes generated code or waits in a system call. Any thread.</summary>
    public bool IsOutside => Volatile.Read(ref State) == 1;

    /// <summary>Has the thread leave the system call that it waits in, as if a signal had come. Any thread.</summary>
    /// <param name="thread">The host's ID of the slot's thread.</param>
    public void Want(int thread)
    {
        const long Getpid = 39, Tgkill = 234;
        const int SIGTRAP = 5;
        Volatile.Write(ref *(int*)(_slot + WantedAt), 1);
        _ = HostCalls.Plain(Tgkill, HostCalls.Plain(Getpid), thread, SIGTRAP);
    }

    /// <summary>Whether <see cref="Want"/> was called since <see cref="Yield"/>.</summary>
    public bool IsWanted => Volatile.Read(ref *(int*)(_slot + WantedAt)) != 0;

    /// <summary>The thread has come.</summary>
    public void Yield() => Volatile.Write(ref *(int*)(_slot + WantedAt), 0);

    /// <summary>Whether the thread is to stand still when it comes to <see cref="Stand"/>.</summary>
    public bool IsHeld => Volatile.Read(ref *(int*)(_slot + HeldAt)) != 0;

    public void Hold() => Volatile.Write(ref *(int*)(_slot + HeldAt), 1);

    public void Release()
    {
        const long Futex = 202;
        const int FutexWake = 1;
        Volatile.Write(ref *(int*)(_slot + HeldAt), 0);
        _ = HostCalls.Plain(Futex, (long)(_slot + HeldAt), FutexWake, int.MaxValue);
    }

    /// <summary>Waits while it is held, or until a signal comes; other threads may fork meanwhile. Its thread only.</summary>
    public void Stand()
    {
        const long Futex = 202;
        const int FutexWait = 0;
        // Not interruptible: while a signal waits to be shown, that would not wait at all.
        Volatile.Write(ref State, 1);
        _ = HostCalls.Plain(Futex, (long)(_slot + HeldAt), FutexWait, 1);
        Interlocked.Exchange(ref State, 0);
        while (Volatile.Read(ref NativeStubs.Gate) != 0)
        {
            Volatile.Write(ref State, 1);
            _ = HostCalls.Plain(Futex, NativeStubs.GateAddress, FutexWait, 1);
            Interlocked.Exchange(ref State, 0);
        }
    }

    internal nint Address => (nint)_slot;

    /// <summary>The host's number of the signal that waits, or 0.</summary>
    public int Pending => Volatile.Read(ref *(int*)(_slot + PendingAt));

    /// <summary>The siginfo_t of the signal that waits. Its thread only.</summary>
    public ReadOnlySpan<byte> Info => new(_slot + InfoAt, InfoSize);

    /// <summary>Takes the signal; then the thread's mask is to be set anew.</summary>
    public void Clear() => Volatile.Write(ref *(int*)(_slot + PendingAt), 0);

    /// <summary>Puts a signal that was taken from the kernel by other means here, as a handler would.</summary>
    public void Set(int signal, ReadOnlySpan<byte> info)
    {
        info[..InfoSize].CopyTo(new Span<byte>(_slot + InfoAt, InfoSize));
        Volatile.Write(ref *(int*)(_slot + PendingAt), signal);
    }

    /// <summary>Field at an offset of the waiting signal's siginfo_t.</summary>
    public int InfoWord(int offset) => BinaryPrimitives.ReadInt32LittleEndian(Info[offset..]);

    /// <summary>Gives the slot back. On its thread, all signals being blocked.</summary>
    public void Dispose()
    {
        if (t_current != this)
            return;
        StackDescription old = _old;
        if (old.Size < MINIMUM)
            old.Flags = SS_DISABLE;
        // SAFETY: the runtime's own stack, as it was.
        _ = HostCalls.Plain(Sigaltstack, (long)&old, 0);
        t_current = null;
        lock (s_lock)
        {
            IsAttached = false;
            s_attached.Remove(this);
            s_free.Push(_index);
            if (s_ending.Count == Remembered)
                s_ending.RemoveAll(static t => !Exists(t));
            s_ending.Add((int)HostCalls.Plain(186));
        }
    }
}
