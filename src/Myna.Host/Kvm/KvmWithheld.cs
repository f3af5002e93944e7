namespace Myna.Host.Kvm;

/// <summary>Parts of the kernel's interface that are treated as missing: how programs do without them can be tried where they are there.</summary>
/// <param name="capabilities">Are not there, and cannot be switched on.</param>
/// <param name="msrs">Virtual CPUs fail to read and write these.</param>
public sealed class KvmWithheld(IEnumerable<KvmCapability> capabilities, IEnumerable<uint> msrs)
{
    private readonly HashSet<KvmCapability> _capabilities = [.. capabilities];
    private readonly HashSet<uint> _msrs = [.. msrs];

    internal bool Lacks(KvmCapability capability) => _capabilities.Contains(capability);

    /// <summary>How many of a list come before the first that fails.</summary>
    internal int CountGood(ReadOnlySpan<KvmMsr> list)
    {
        int count = 0;
        while (count < list.Length && !_msrs.Contains(list[count].Index))
            count++;
        return count;
    }
}
