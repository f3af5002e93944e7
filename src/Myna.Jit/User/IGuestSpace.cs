using Myna.Jit.Memory;

namespace Myna.Jit.User;

/// <summary>What a user program has mapped where. Any thread.</summary>
public interface IGuestSpace
{
    /// <summary>
    /// Held around every change of the mappings, the translator's being told included; the translator holds it while it
    /// translates, and takes its own lock inside.
    /// </summary>
    Lock Sync { get; }

    /// <summary>What the guest may do with the page of an address; None when nothing is mapped there.</summary>
    PageRights RightsAt(ulong va);

    /// <summary>Whether anything is mapped there, with rights or without.</summary>
    bool IsMapped(ulong va);

    /// <summary>Whether the page may be stored to through another mapping.</summary>
    bool IsShared(ulong va);

    /// <summary>Adds the other pages of this program through which the memory of a shared page may be stored to.</summary>
    void AddAliases(ulong page, List<ulong> aliases);
}

/// <summary>What the owner of a user program's address space tells the translator.</summary>
public interface IUserTranslator
{
    /// <summary>The mappings of whole pages have changed; <see cref="IGuestSpace.Sync"/> is held.</summary>
    void Forget(ulong start, ulong length);

    /// <summary>The host's kernel is about to store to guest memory: pages that are write-protected for the translator's sake become writable.</summary>
    /// <returns>Whether there were such.</returns>
    bool PrepareWrite(ulong start, ulong length);

    /// <summary>The guest says that it has stored instructions there.</summary>
    void FlushInstructions(ulong start, ulong length);
}
