using Myna.Hardware.State;

namespace Myna.Devices.Nvme;

/// <summary>A submission queue (NVMe 1.4, section 4.1).</summary>
internal struct SubmissionQueue
{
    public ulong Base;
    public ushort Size, Head, Tail, Completion;

    /// <summary>Nonzero while the queue exists.</summary>
    public ushort Exists;
    public ushort Reserved, Reserved2;
}

/// <summary>A completion queue, and how many commands under way will end in it.</summary>
internal struct CompletionQueue
{
    public ulong Base;
    public ushort Size, Head, Tail, Vector, Exists, Phase, Interrupts, Reserved;
}

/// <summary>The controller's queues; number 0 is the admin queue's pair.</summary>
[Stateful("nvme-queues")]
internal sealed partial class NvmeQueues(int count)
{
    [Saved(1)] public readonly SubmissionQueue[] Submission = new SubmissionQueue[count];
    [Saved(2)] public readonly CompletionQueue[] Completion = new CompletionQueue[count];

    /// <summary>Completions that commands under way are going to need, by queue. Nothing is under way when state is saved.</summary>
    [NotSaved("drained before saving")] public readonly int[] Promised = new int[count];

    /// <summary>Whether another command may begin whose end goes to this queue.</summary>
    public bool HasRoom(int queue)
    {
        ref CompletionQueue cq = ref Completion[queue];
        int used = (cq.Tail + cq.Size - cq.Head) % cq.Size;
        return used + Promised[queue] < cq.Size - 1;
    }

    public void Clear()
    {
        Array.Clear(Submission);
        Array.Clear(Completion);
        Array.Clear(Promised);
    }

    private void Sync()
    {
        // Indices of a stream that is damaged must not leave their queue.
        for (int i = 0; i < Submission.Length; i++)
        {
            ref SubmissionQueue sq = ref Submission[i];
            ref CompletionQueue cq = ref Completion[i];
            if (sq.Size < 2 || sq.Head >= sq.Size || sq.Tail >= sq.Size || sq.Completion >= Completion.Length)
                sq = default;
            if (cq.Size < 2 || cq.Head >= cq.Size || cq.Tail >= cq.Size)
                cq = default;
        }
        for (int i = 0; i < Submission.Length; i++)
        {
            if (Completion[Submission[i].Completion].Exists == 0)
                Submission[i] = default;
        }
    }
}
